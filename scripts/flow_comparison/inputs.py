"""Inputs for a flow that says nothing about them: sample data beside it, else plausible values by type."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .found import FoundFlow, parse_python
from .needs import MODEL, parameters

__all__ = ["pick_init", "pick_inputs"]

_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
_SAMPLE_BYTES = 1_000_000
_BY_TYPE: Mapping[str, Any] = {
    "int": 3,
    "double": 0.5,
    "float": 0.5,
    "number": 0.5,
    "bool": True,
    "boolean": True,
    "list": ["one", "two"],
    "array": ["one", "two"],
    "object": {"key": "value"},
    "dict": {"key": "value"},
    "image": {"data:image/png;base64": _PIXEL},
}


def pick_inputs(flow: FoundFlow, server: str) -> dict[str, Any]:
    """A value for each input that has no default and no sample of its own."""
    needed = _needed(flow, "inputs")
    record = next((record for record in _records(flow.path.parent) if needed.keys() <= record.keys()), {})
    return {name: record.get(name, _plausible(name, kind, server)) for name, kind in needed.items()}


def pick_init(flow: FoundFlow, server: str) -> dict[str, Any]:
    """Likewise for the arguments of a flow that is a class."""
    if flow.kind != "flex":
        return {}
    return {name: _plausible(name, kind, server) for name, kind in _needed(flow, "init").items()}


def _needed(flow: FoundFlow, part: str) -> dict[str, str]:
    """Name and type of each input (or init argument) that somebody has to give."""
    declared = flow.body.get(part)
    sample = _sample(flow).get(part) if flow.kind == "flex" else _sample(flow)
    if isinstance(declared, dict) and declared:
        wanted = {str(name): said for name, said in declared.items() if not _has_default(said)}
        given = set(sample) if isinstance(sample, dict) else set()
        missing = {name: _type(said) for name, said in wanted.items() if name not in given}
        return missing if len(missing) == len(wanted) or not missing else {n: _type(s) for n, s in wanted.items()}
    if flow.kind == "flex" and not sample:
        return _of_entry(flow, part)
    return {}


def _sample(flow: FoundFlow) -> Mapping[str, Any]:
    sample = flow.body.get("sample")
    return sample if isinstance(sample, dict) else {}


def _has_default(said: Any) -> bool:
    return isinstance(said, dict) and said.get("default") is not None


def _type(said: Any) -> str:
    if not isinstance(said, dict):
        return "string"
    if said.get("is_chat_history"):
        return "history"
    return str(said.get("type", "string"))


def _of_entry(flow: FoundFlow, part: str) -> dict[str, str]:
    """The parameters without default of the function, or of the class's ``__call__`` or ``__init__``."""
    module, _, name = str(flow.body.get("entry", "")).partition(":")
    tree = parse_python(flow.path.parent / (module.replace(".", "/") + ".py"))
    named = [node for node in tree.body if getattr(node, "name", None) == name]
    method = "__init__" if part == "init" else "__call__"
    for node in named:
        if isinstance(node, ast.ClassDef):
            functions = [inner for inner in node.body if getattr(inner, "name", None) == method]
        else:
            functions = [node] if part == "inputs" else []
        for function in functions:
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                found = parameters(function)
                return {key: text.lower() if len(text) < 6 else text for key, (text, has) in found.items() if not has}
    return {}


def _records(folder: Path) -> Iterator[dict[str, Any]]:
    """The first record of each data file in the folder and in ``data`` below it."""
    for file in sorted([*folder.glob("*.json*"), *folder.glob("data/*.json*")]):
        if file.suffix in (".json", ".jsonl") and file.stat().st_size < _SAMPLE_BYTES:
            try:
                text = file.read_text("utf-8-sig")
                found = json.loads(text.splitlines()[0] if file.suffix == ".jsonl" else text)
            except (ValueError, IndexError):
                continue
            found = found[0] if isinstance(found, list) and found else found
            if isinstance(found, dict):
                yield found


def _plausible(name: str, kind: str, server: str) -> Any:
    lower = name.lower()
    if kind == "history" or ("history" in lower and kind in ("list", "array")) or "chat_history" in lower:
        return []
    if "OpenAIModelConfiguration" in kind and "Azure" not in kind:
        return {"model": MODEL, "api_key": "simulated", "base_url": f"{server}/v1"}
    if "ModelConfiguration" in kind or lower == "model_config":
        return {"connection": "azure_open_ai_connection", "azure_deployment": MODEL}
    if "Connection" in kind:
        return "azure_open_ai_connection"
    if kind in _BY_TYPE:
        return _BY_TYPE[kind]
    return _plausible_text(lower, server)


def _plausible_text(name: str, server: str) -> str:
    if "url" in name or "link" in name:
        return f"{server}/health"
    if any(part in name for part in ("question", "query", "chat_input", "prompt")):
        return "What is the capital of France?"
    if "json" in name:
        return '{"key": "value"}'
    return f"a short {name.replace('_', ' ')}"

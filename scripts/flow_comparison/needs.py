"""What a flow needs from outside: connections and environment variables, all pointed at the simulated model."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Any

from .found import FoundFlow, parse_python

__all__ = ["MODEL", "connections_of", "environment_of", "parameters"]

MODEL = "gpt-4o"
KEY = "simulated-key"
_NUMBERS = ("max_", "timeout", "count", "limit", "seconds", "interval", "retries", "top_")

_CLASSES = {
    "AzureOpenAIConnection": "azure_open_ai",
    "OpenAIConnection": "open_ai",
    "ServerlessConnection": "serverless",
    "CognitiveSearchConnection": "cognitive_search",
    "AzureAIServicesConnection": "azure_ai_services",
    "AzureContentSafetyConnection": "azure_content_safety",
    "FormRecognizerConnection": "form_recognizer",
    "SerpConnection": "serp",
}
_PACKAGE_TOOLS = {
    "serpapi": "serp",
    "content_safety": "azure_content_safety",
    "openai_gpt4v": "open_ai",
    "azure_translator": "custom",
}
_FROM_ENVIRONMENT = re.compile(
    r"""(?:environ(?:\.get)?\s*[\[(]|getenv\s*\(|\$\{env:)\s*["']?([A-Za-z_][A-Za-z0-9_]*)""", re.ASCII
)


def connections_of(flow: FoundFlow, server: str) -> dict[str, dict[str, Any]]:
    """Each connection by name, in the form of a connection's YAML."""
    kinds = {"azure_open_ai_connection": "azure_open_ai", "open_ai_connection": "azure_open_ai"}
    kinds.update(_named_in(flow))
    return {name: _connection(kind, flow, server) for name, kind in kinds.items()}


def environment_of(flow: FoundFlow, server: str) -> dict[str, str]:
    """Values for the usual variables and for those that the flow's files name."""
    usual = {
        "AZURE_OPENAI_ENDPOINT": server,
        "AZURE_OPENAI_API_KEY": KEY,
        "OPENAI_API_VERSION": "2024-02-01",
        "OPENAI_API_KEY": KEY,
        "OPENAI_BASE_URL": f"{server}/v1",
        "AZURE_OPENAI_DEPLOYMENT": MODEL,
    }
    named = {name: _value_for(name, server) for name in _FROM_ENVIRONMENT.findall(flow.code) if name.isupper()}
    kept = {name: value for name, value in named.items() if not name.startswith(("PF_", "PROMPTFLOW_", "PATH", "HOME"))}
    return {**kept, **usual}


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> dict[str, tuple[str, bool]]:
    """The annotation of each parameter as text, and whether the parameter has a default."""
    plain = [*function.args.posonlyargs, *function.args.args]
    first_default = len(plain) - len(function.args.defaults)
    found = {arg.arg: (_text(arg.annotation), place >= first_default) for place, arg in enumerate(plain)}
    for arg, default in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True):
        found[arg.arg] = (_text(arg.annotation), default is not None)
    return {name: value for name, value in found.items() if name not in ("self", "cls")}


def _text(annotation: ast.expr | None) -> str:
    return ast.unparse(annotation).strip("'\"") if annotation else ""


def _named_in(flow: FoundFlow) -> dict[str, str]:
    if flow.kind == "dag":
        return {name: kind for node in _nodes(flow.body) for name, kind in _of_node(flow, node)}
    return dict(_of_mapping(flow.body))


def _nodes(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The nodes, and the bodies of every variant."""
    yield from (node for node in body.get("nodes") or [] if isinstance(node, dict))
    for variants in (body.get("node_variants") or {}).values():
        yield from (each.get("node") or {} for each in (variants.get("variants") or {}).values())


def _of_node(flow: FoundFlow, node: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    inputs = node.get("inputs") or {}
    source = node.get("source") or {}
    if node.get("connection"):
        yield str(node["connection"]), _model_kind(node, inputs)
    if source.get("type") in ("package", "package_with_prompt") and isinstance(inputs.get("connection"), str):
        tool = str(source.get("tool", ""))
        kinds = [kind for part, kind in _PACKAGE_TOOLS.items() if part in tool]
        yield inputs["connection"], kinds[0] if kinds else _model_kind(node, inputs)
    elif source.get("path") and str(source["path"]).endswith(".py"):
        for name, annotation in _annotations(flow, str(source["path"])).items():
            if "Connection" in annotation and isinstance(inputs.get(name), str):
                yield inputs[name], _kind_of_annotation(annotation)


def _model_kind(node: Mapping[str, Any], inputs: Mapping[str, Any]) -> str:
    said = str(node.get("provider", ""))
    if said in ("OpenAI", "Serverless"):
        return "open_ai"
    return (
        "open_ai"
        if "model" in inputs and "deployment_name" not in inputs and said != "AzureOpenAI"
        else "azure_open_ai"
    )


def _annotations(flow: FoundFlow, path: str) -> dict[str, str]:
    tree = parse_python(flow.path.parent / path)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return {name: text for function in functions for name, (text, _) in parameters(function).items()}


def _kind_of_annotation(annotation: str) -> str:
    named = [(annotation.find(name), kind) for name, kind in _CLASSES.items() if re.search(rf"\b{name}\b", annotation)]
    return min(named)[1] if named else "custom"


def _of_mapping(value: Any, kind: str = "azure_open_ai") -> Iterator[tuple[str, str]]:
    """``connection: name`` at any depth; a ``type`` beside it says which kind."""
    if isinstance(value, dict):
        said = str(value.get("type", ""))
        kind = "open_ai" if said.lower().replace("_", "") == "openai" else kind
        if isinstance(value.get("connection"), str):
            yield value["connection"], kind
        for inner in value.values():
            yield from _of_mapping(inner, kind)


def _connection(kind: str, flow: FoundFlow, server: str) -> dict[str, Any]:
    if kind == "azure_open_ai":
        return {"type": kind, "api_key": KEY, "api_base": server, "api_version": "2024-02-01"}
    if kind == "open_ai":
        return {"type": kind, "api_key": KEY, "base_url": f"{server}/v1"}
    if kind == "serp":
        return {"type": kind, "api_key": KEY}
    if kind in ("serverless", "cognitive_search"):
        return {"type": kind, "api_key": KEY, "api_base": server}
    if kind != "custom":
        return {"type": kind, "api_key": KEY, "endpoint": server}
    configs = {name: _value_for(name, server) for name in _fields_named(flow.code)}
    return {"type": kind, "configs": configs, "secrets": {"api_key": KEY}}


def _fields_named(code: str) -> set[str]:
    """Fields that some ``…conn….name`` or ``…conn…["name"]`` of the code reads, besides methods and the key."""
    read = re.findall(r"conn\w*(?:\.(?:configs|secrets))?(?:\.|\[\s*[\"'])([A-Za-z_]\w*)\b(?!\()", code)
    return (set(read) | {"api_base", "api_url"}) - {"api_key", "secrets", "configs", "name", "type", "items", "get"}


def _value_for(name: str, server: str) -> str:
    lower = name.lower()
    if any(part in lower for part in ("endpoint", "base", "url", "host")):
        return f"{server}/v1" if lower.startswith("openai") else server
    if any(part in lower for part in ("deployment", "model", "engine")):
        return MODEL
    if "version" in lower:
        return "2024-02-01"
    if any(part in lower for part in _NUMBERS):
        return "5"
    return "azure" if lower.endswith("api_type") else "simulated"

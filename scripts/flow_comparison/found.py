"""The flows under some folders."""

from __future__ import annotations

import ast
import fnmatch
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, YAMLError

__all__ = ["FoundFlow", "find_flows", "parse_python", "python_files", "read_yaml"]

_SKIPPED = {".git", ".promptflow", ".runs", "node_modules", "__pycache__", ".venv", "venv"}
_FRONT = re.compile(r"\A\s*-{3,}\s*\n(.*?)\n-{3,}\s*(?:\n|\Z)", re.DOTALL)


@dataclass(frozen=True)
class FoundFlow:
    """One flow file: ``kind`` is dag, flex or prompty; ``name`` is its path from the folder that was searched."""

    path: Path
    root: Path
    kind: str

    @property
    def name(self) -> str:
        return f"{self.root.name}/{self.path.relative_to(self.root)}"

    @cached_property
    def body(self) -> Mapping[str, Any]:
        """The YAML of the flow, a prompty's front matter; empty when it cannot be read."""
        text = self.path.read_text("utf-8", errors="replace")
        if self.kind == "prompty":
            front = _FRONT.match(text)
            text = front[1] if front else ""
        return read_yaml(text)

    @cached_property
    def code(self) -> str:
        """All Python and YAML text of the folder, in which names of variables and fields are looked for."""
        files = [*python_files(self.path.parent), self.path]
        return "\n".join(file.read_text("utf-8", errors="replace") for file in files)


def find_flows(folders: Sequence[Path], only: str | None = None) -> list[FoundFlow]:
    """Every DAG flow, every YAML with an ``entry`` and every prompty, by name; ``only`` is a glob over names."""
    flows = [flow for folder in folders for flow in _in_folder(folder.resolve())]
    return sorted((flow for flow in flows if not only or fnmatch.fnmatch(flow.name, only)), key=lambda flow: flow.name)


def _in_folder(root: Path) -> Iterator[FoundFlow]:
    for path in root.rglob("*"):
        if path.suffix not in (".yaml", ".yml", ".prompty") or _SKIPPED & set(path.relative_to(root).parts):
            continue
        kind = _kind(path) if path.is_file() else None
        if kind:
            yield FoundFlow(path, root, kind)


def _kind(path: Path) -> str | None:
    if path.suffix == ".prompty":
        return "prompty"
    body = read_yaml(path.read_text("utf-8", errors="replace"))
    if "entry" in body and not isinstance(body["entry"], dict):
        return "flex"
    return "dag" if path.stem == "flow.dag" else None


def read_yaml(text: str) -> Mapping[str, Any]:
    """The mapping that YAML text holds; empty for anything else, since a broken flow is compared too."""
    try:
        found = YAML(typ="safe").load(text)
    except (YAMLError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def python_files(folder: Path, most: int = 60) -> list[Path]:
    """The folder's Python files, those nearest first."""
    files = [path for path in folder.rglob("*.py") if not _SKIPPED & set(path.relative_to(folder).parts)]
    return sorted(files, key=lambda path: (len(path.parts), str(path)))[:most]


def parse_python(path: Path) -> ast.Module:
    """The syntax tree of a file; an empty one when there is none."""
    try:
        return ast.parse(path.read_text("utf-8", errors="replace"))
    except (OSError, SyntaxError, ValueError):
        return ast.Module([], [])

"""A flow's folder as it runs: chosen variants in place, included files merged, nothing that is not part of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from ruamel.yaml import YAML

from flowyard._util.yamlfile import read_yaml
from flowyard.flows.model import DagFlow, Flow
from flowyard.flows.variants import apply_variants

__all__ = ["write_snapshot"]

_LEFT_OUT = (
    *(".git", ".svn", ".hg", ".venv", "venv", "__pycache__", ".promptflow", ".flowyard", ".runs", "node_modules"),
    *(".env", "*.env", ".DS_Store", "*.pyc", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".ipynb_checkpoints"),
)


def write_snapshot(flow: Flow, target: Path) -> str:
    """Copy what a flow runs from into a new folder; returns the name of its definition there.

    Caches, version control, environments and files with secrets stay behind; so do symbolic links that lead out.
    """
    home = flow.folder.resolve()

    def left_out(folder: str, names: list[str]) -> set[str]:
        patterns: Iterable[str] = shutil.ignore_patterns(*_LEFT_OUT)(folder, names)
        outside = {name for name in names if not (Path(folder) / name).resolve().is_relative_to(home)}
        return {*patterns, *outside}

    shutil.copytree(flow.folder, target, ignore=left_out)
    definition = target / flow.file.name
    if isinstance(flow, DagFlow):
        raw = read_yaml(flow.file).data
        resolved = {key: value for key, value in raw.items() if key not in ("node_variants", "additional_includes")}
        resolved["nodes"] = [dict(node) for node in apply_variants(raw, flow.chosen).nodes]
        with definition.open("w", encoding="utf-8") as file:
            YAML().dump(resolved, file)
    return flow.file.name

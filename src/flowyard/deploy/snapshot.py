"""A flow's folder as it runs: chosen variants in place, included files merged, nothing that is not part of it."""

from __future__ import annotations

import shutil
from pathlib import Path

from ruamel.yaml import YAML

from flowyard._util.yamlfile import read_yaml
from flowyard.flows.model import DagFlow, Flow
from flowyard.flows.variants import apply_variants
from flowyard.registry.ignore import read_ignored

__all__ = ["write_snapshot"]


def write_snapshot(flow: Flow, target: Path) -> str:
    """Copy what a flow runs from into a new folder; returns the name of its definition there.

    What a registry leaves out stays behind, such as caches and files with secrets; so do symbolic links that lead out.
    """
    home = flow.folder.resolve()
    ignored = {flow.folder: read_ignored(flow.folder)}

    def left_out(folder: str, names: list[str]) -> set[str]:
        here = Path(folder)
        rules = ignored.get(here) or ignored.setdefault(here, ignored[here.parent].below(here))
        paths = {name: here / name for name in names}
        return {
            name
            for name, path in paths.items()
            if rules.has(name, is_folder=path.is_dir()) or not path.resolve().is_relative_to(home)
        }

    shutil.copytree(flow.folder, target, ignore=left_out)
    definition = target / flow.file.name
    if isinstance(flow, DagFlow):
        raw = read_yaml(flow.file).data
        resolved = {key: value for key, value in raw.items() if key not in ("node_variants", "additional_includes")}
        resolved["nodes"] = [dict(node) for node in apply_variants(raw, flow.chosen).nodes]
        with definition.open("w", encoding="utf-8") as file:
            YAML().dump(resolved, file)
    return flow.file.name

"""Finding a flow on disk and reading it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from flowyard._util.suggest import did_you_mean, known_names
from flowyard._util.yamlfile import read_yaml
from flowyard.errors import UserError
from flowyard.flows.dag_yaml import parse_dag
from flowyard.flows.flex_yaml import ENTRY, parse_flex
from flowyard.flows.model import FlexFlow, Flow
from flowyard.flows.prompty import load_prompty

__all__ = ["find_flow_file", "load_flow"]

_MOST_NAMED = 5
_NAMES = ("flow.dag.yaml", "flow.dag.yml", "flow.flex.yaml", "flow.flex.yml")


def load_flow(path: Path | str, selected: Mapping[str, str] | None = None) -> Flow:
    """Read and check the flow at ``path`` (its folder or file) with ``selected`` variants ``{node: variant}``.

    ``module:Name`` is a flow too: that function or class, found in the working directory. A selection is ignored, with
    a warning, by flows without nodes. Raises UserError when there is no flow, FlowInvalid listing every problem in it.
    """
    if ENTRY.match(str(path)) and not Path(path).exists():
        return _without_variants(_entry_flow(str(path), Path.cwd()), selected)
    file = find_flow_file(Path(path))
    if file.suffix == ".prompty":
        return _without_variants(load_prompty(file), selected)
    parsed = read_yaml(file)
    if isinstance(parsed.data, Mapping) and "entry" in parsed.data:
        return _without_variants(parse_flex(parsed), selected)
    return parse_dag(parsed, selected or {})


def _without_variants(flow: Flow, selected: Mapping[str, str] | None) -> Flow:
    if not selected:
        return flow
    names = known_names(f"{node}.{variant}" for node, variant in selected.items())
    warning = f"{flow.file.name} has no nodes, so the selected variants {names} are ignored."
    return replace(flow, warnings=(*flow.warnings, warning))


def _entry_flow(entry: str, folder: Path) -> FlexFlow:
    """A flow without a file; unlike in prompt flow, none is written."""
    module, _, name = entry.partition(":")
    return FlexFlow(name=name, file=folder / f"{module.replace('.', '/')}.py", folder=folder, entry=entry, where=entry)


def _known_flows(folder: Path) -> str:
    """What can be named in place of a flow that is not there."""
    folders = sorted(each.name for each in folder.iterdir() if any((each / name).is_file() for name in _NAMES))
    where = folder.absolute().name or str(folder)
    if folders:
        return f"Flows in {where}: {', '.join(folders[:_MOST_NAMED])}{', …' if len(folders) > _MOST_NAMED else ''}."
    return f"{where} holds no flow. 'flowyard flow init --flow NAME' makes one."


def find_flow_file(path: Path) -> Path:
    """The flow's definition file. Raises UserError when there is none or more than one."""
    if path.is_dir():
        found = [path / name for name in _NAMES if (path / name).is_file()]
        if len(found) == 1:
            return found[0]
        if found:
            raise UserError(
                f"{path} holds several flows: {', '.join(file.name for file in found)}.", hint="Name the file."
            )
        raise UserError(f"{path} holds no flow.", hint="A flow's folder has a flow.dag.yaml or a flow.flex.yaml.")
    if not path.exists():
        parent = path.parent if path.parent.is_dir() else Path()
        near = did_you_mean(path.name, [child.name for child in parent.iterdir()])
        raise UserError(f"Flow not found: {path}", hint=near or _known_flows(parent))
    if path.suffix not in (".yaml", ".yml", ".prompty"):
        raise UserError(f"{path} is not a flow file.", hint="A flow is a folder, or a .yaml, .yml or .prompty file.")
    return path

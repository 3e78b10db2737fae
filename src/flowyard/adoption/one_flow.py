"""A flow that exists as a use case: its files as they are, with an experiment and a deployment beside them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

from flowyard._util.suggest import known_names
from flowyard.adoption.model import Adoption, LeftToDo, Mapped
from flowyard.adoption.secret_files import Taken, take_files
from flowyard.adoption.yaml_text import yaml_text
from flowyard.errors import OutsideError, UserError
from flowyard.flows.load import load_flow
from flowyard.flows.model import DagFlow, FlexFlow, Flow, PromptyFlow
from flowyard.registry.flow_files import flow_files
from flowyard.runs.dataset import iter_rows
from flowyard.scaffold import require_use_case_name

__all__ = ["plan_flow"]

_DATA = (".jsonl", ".csv", ".tsv")
_LOOKED_AT = 100
"""Rows of a data file that are read to see whether it fits."""

_EXAMPLES: Mapping[str, Any] = {"int": 1, "double": 1.0, "bool": True, "list": [], "object": {}}


def plan_flow(path: Path, root: Path, name: str | None) -> Adoption:
    """The use case that the flow at ``path`` becomes below ``root``.

    Raises UserError when the flow cannot be read, or would not be whole without files from elsewhere.
    """
    flow = load_flow(path)
    _require_whole(flow)
    own = flow.file.stem if isinstance(flow, PromptyFlow) else flow.file.resolve().parent.name
    use_case = require_use_case_name(name or re.sub(r"[^a-z0-9]+", "_", own.lower()).strip("_"))
    place = PurePosixPath("flows") / (re.sub(r"[^A-Za-z0-9._-]+", "_", own).strip("._-") or use_case)
    with flow_files(flow, with_keys=True) as found:
        taken = take_files(found.files, found.definition)
        files = {place / each: content for each, content in taken.files.items()}
        definition = place / found.definition
        candidates = {each: source for each, source in found.files if source.suffix in _DATA}
        data = _fitting_data(flow, {each: source for each, source in candidates.items() if each not in taken.left_out})
    made = _UseCase(flow, use_case, place, definition, data)
    files |= {PurePosixPath(each): text.encode() for each, text in made.files().items()}
    return Adoption(
        root,
        (use_case,),
        True,
        {PurePosixPath(use_case) / each: content for each, content in sorted(files.items())},
        tuple(replace(each, where=f"{use_case}/{each.where}") for each in made.mapped()),
        tuple(replace(each, where=f"{use_case}/{each.where}") for each in (*_secrets(taken, place), *made.left())),
    )


def _secrets(taken: Taken, place: PurePosixPath) -> Iterator[LeftToDo]:
    """What a person has to know of secrets among the files."""
    for name, why in taken.left_out.items():
        advice = "Keep secrets in connections or the environment; copy it yourself if it is none."
        yield LeftToDo(f"{place}/{name}:1", f"It was not copied: it {why}.", advice)
    for name, line in taken.shown.items():
        advice = "Take it out before you commit, and have it replaced where it holds: flowyard connection create"
        yield LeftToDo(f"{place}/{name}:{line}", "This line shows what looks like a secret, and was copied.", advice)


def _require_whole(flow: Flow) -> None:
    home, code = flow.file.parent.resolve(), flow.folder.resolve()
    if flow.keep is not None or not code.is_relative_to(home):
        raise UserError(
            f"{flow.file.name} takes files from outside of its folder, and would not find them in another place.",
            hint="Put copies into its folder, and take 'additional_includes' or 'code' out of its file;\n"
            "or leave it where it is, and name it in an experiment.yaml of your own: flow: ../path/to/the/flow",
            where=f"{flow.file}:1",
        )


def _fitting_data(flow: Flow, found: Mapping[str, Path]) -> tuple[str, Mapping[str, Any]] | None:
    """The first data file that has a column for every input that has to be given, and its first row."""
    needed = {each.name for each in flow.inputs.values() if each.required}
    for name, file in found.items():
        try:
            rows = [row.values for row in islice(iter_rows(file), _LOOKED_AT) if row.error is None]
        except (UserError, OutsideError):
            continue
        if rows and needed <= rows[0].keys() and (needed or flow.inputs.keys() & rows[0].keys()):
            return name, rows[0]
    return None


class _UseCase:
    """What is written beside the flow, and what is said of it. ``data`` is a file of the flow's, with its first row."""

    def __init__(
        self,
        flow: Flow,
        name: str,
        place: PurePosixPath,
        definition: PurePosixPath,
        data: tuple[str, Mapping[str, Any]] | None,
    ) -> None:
        self.flow = flow
        self.name = name
        self.place = place
        self.definition = definition
        self.data = data
        self.row = dict(data[1]) if data else _made_up(flow)
        self.inputs = [each for each in flow.inputs if each in self.row] or ([] if flow.inputs else list(self.row))
        self.source = f"{place}/{data[0]}" if data else f"data/{name}.jsonl"

    def files(self) -> dict[str, str]:
        """The text of each file by its place in the use case."""
        request = {name: self.row[name] for name in self.inputs}
        made = {
            "experiment.yaml": yaml_text(
                self._experiment(), "What is run over which data, and what has to be reached."
            ),
            "deployment.yaml": yaml_text(self._deployment(), "Where it is served."),
            "sample-request.json": json.dumps(request, ensure_ascii=False, indent=2, default=str) + "\n",
        }
        if self.data is None:
            made[self.source] = json.dumps(request, ensure_ascii=False, default=str) + "\n"
        return made

    def _experiment(self) -> dict[str, Any]:
        is_file = isinstance(self.flow, PromptyFlow)
        return {
            "name": self.name,
            "flow": str(self.definition if is_file else self.place),
            "datasets": [
                {
                    "name": f"{self.name}_data",
                    "source": self.source,
                    "mappings": {name: f"${{data.{name}}}" for name in self.inputs},
                }
            ],
            "gates": ["error_rate <= 0"],
        }

    def _deployment(self) -> dict[str, Any]:
        connections = sorted({name for name, _ in self._connections()})
        environment: dict[str, Any] = {"target": "local", "test": {"file": "sample-request.json"}}
        return {"environments": {"dev": {**environment, **({"connections": connections} if connections else {})}}}

    def _connections(self) -> Iterator[tuple[str, str]]:
        """Each connection that the file names, with ``file:line``; code may ask for more."""
        if isinstance(self.flow, DagFlow):
            yield from ((node.connection, node.where) for node in self.flow.nodes if node.connection)
        elif isinstance(self.flow, PromptyFlow) and isinstance(self.flow.configuration.get("connection"), str):
            yield self.flow.configuration["connection"], self.flow.where

    def _where(self, where: str) -> str:
        """``file:line`` as seen from the use case."""
        _, _, line = where.rpartition(":")
        return f"{self.definition}:{line if line.isdigit() else 1}"

    def mapped(self) -> Iterator[Mapped]:
        """What became of what."""
        yield Mapped(f"{self.definition}:1", f"the flow {self.flow.name}", f"{self.name}/{self.place}, byte for byte")
        for name in self.inputs:
            place = self.flow.inputs[name].where if name in self.flow.inputs else ""
            yield Mapped(self._where(place), f"input {name}", f"column {name} of {self.source}")
        for name, where in dict(self._connections()).items():
            yield Mapped(self._where(where), f"connection {name}", "connections of dev in deployment.yaml")
        for node, ids in self.flow.variants.items():
            yield Mapped(f"{self.definition}:1", f"node {node}", f"variants {known_names(ids)}, each run once")

    def left(self) -> Iterator[LeftToDo]:
        """What a person has to see to."""
        if self.data is None:
            message = "No data file of the flow has a column for each input, so this line is an example."
            yield LeftToDo(f"{self.source}:1", message, "Put your own lines there; with labels, if there are any.")
        if isinstance(self.flow, FlexFlow) and not self.flow.inputs:
            message = "Its inputs are in the code and were not looked at."
            yield LeftToDo(f"{self.definition}:1", message, "Correct 'mappings' and sample-request.json.")
        for name in self.flow.inputs.keys() - set(self.inputs):
            message = f"Input {name!r} keeps its default: the data has no column for it."
            yield LeftToDo(self._where(self.flow.inputs[name].where), message, "Add a mapping if it should not.")
        yield LeftToDo(
            "experiment.yaml:1",
            "Nothing judges the answers yet; the only gate is that no line fails.",
            "Add 'evaluators', such as {name: same, type: exact_match, …}: flowyard evaluator list",
        )
        for name in sorted({name for name, _ in self._connections()}):
            yield LeftToDo(
                "deployment.yaml:1",
                f"The connection {name!r} has to be known where it is run.",
                f"flowyard connection create -n {name} --file CONNECTION.yaml; without a key: --simulate RULES",
            )


def _made_up(flow: Flow) -> dict[str, Any]:
    """One row: the flow's own sample, defaults, and an example where there is neither."""
    if flow.stand_in:
        return dict(flow.stand_in)
    return {
        each.name: each.default if each.default is not None else _EXAMPLES.get(each.type, "example")
        for each in flow.inputs.values()
    }

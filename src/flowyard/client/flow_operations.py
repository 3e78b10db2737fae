"""``PFClient().flows``: trying and checking flows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import Any, NoReturn

from flowyard._util.aio import run_blocking
from flowyard.client.ambient import app
from flowyard.client.exceptions import InvalidFlowError, NotSupported, UserErrorException
from flowyard.client.subject import Subject, flow_of
from flowyard.client.translate import error_of, speaking_promptflow
from flowyard.engine import prepare
from flowyard.errors import FlowInvalid, UserError
from flowyard.flows import model
from flowyard.flows.variants import parse_selection
from flowyard.llm import open_provider
from flowyard.llm.services import current_services, note_usage
from flowyard.runs.single import TryResult, node_values, require_inputs, try_line

__all__ = ["FlowOperations", "ValidationResult"]


@dataclass(frozen=True, slots=True)
class ValidationResult:
    """Whether a flow can be run; ``error_messages`` maps a place (``file:line``) to what is wrong there."""

    error_messages: Mapping[str, str] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return not self.error_messages

    def __repr__(self) -> str:
        return json.dumps({"result": "Succeeded" if self.passed else "Failed", "errors": dict(self.error_messages)})


class FlowOperations:
    """Flows by path, ``module:Name``, function, class or instance."""

    def test(
        self,
        flow: Subject,
        *,
        inputs: Mapping[str, Any] | str | PathLike[str] | None = None,
        variant: str | None = None,
        node: str | None = None,
        environment_variables: Mapping[str, Any] | None = None,
        init: Mapping[str, Any] | None = None,
        **_ignored: Any,
    ) -> Any:
        """The outputs for one set of inputs, aggregation included; with ``node``, that node's output.

        ``inputs`` may be a .json file, or a .jsonl file whose first line counts. A flow that returns one value gives
        that value. Raises UserErrorException naming missing inputs, or saying what the flow's code raised.
        """
        with speaking_promptflow(UserError=InvalidFlowError):
            loaded = flow_of(flow, dict([parse_selection(variant)]) if variant else {})
        with speaking_promptflow():
            variables = {**loaded.environment_variables, **(environment_variables or {})}
            loaded = replace(loaded, environment_variables=variables)
            result = run_blocking(_try(loaded, _values(inputs), dict(init or {}), node))
        note_usage(result.usage)
        if result.error:
            error = error_of(result.error)
            raised = UserErrorException(f"{result.error.type}: {error}")
            for note in getattr(error, "__notes__", ()):
                raised.add_note(note)
            raise raised
        return result.outputs

    def validate(self, flow: Subject, *, raise_error: bool = False, **_ignored: Any) -> ValidationResult:
        """Check a flow's file, code, templates and connections without running it."""
        try:
            with speaking_promptflow():
                try:
                    run_blocking(_prepared_once(flow_of(flow, {})))
                except FlowInvalid as error:
                    if raise_error:
                        raise
                    return ValidationResult({str(each.where): each.message for each in error.problems})
        except UserErrorException as error:
            if raise_error:
                raise
            return ValidationResult({"flow": str(error)})
        return ValidationResult()

    def infer_signature(self, entry: Subject, **_ignored: Any) -> dict[str, Any]:
        """Inputs and, of a class, init values of a function, class or instance: ``{"inputs": {name: {"type": …}}}``."""
        if isinstance(entry, (str, PathLike)) or not callable(entry):
            raise UserErrorException("A signature is inferred from a function, a class, an instance or a prompty.")
        with speaking_promptflow():
            prepared = run_blocking(_prepared_once(flow_of(entry, {})))
        found = {"inputs": prepared.inputs, "outputs": prepared.outputs, "init": getattr(prepared, "init", {})}
        return {
            part: {name: _declared(each) for name, each in values.items()} for part, values in found.items() if values
        }

    def build(self, *_flow: Subject, **_ignored: Any) -> NoReturn:
        """Not from Python: raises NotSupported saying what to use."""
        raise NotSupported("Flows are not built from Python here. Use the command line: flowyard flow build --help")

    def save(self, *_entry: Subject, **_ignored: Any) -> NoReturn:
        """Not from Python: raises NotSupported saying what to use."""
        raise NotSupported(
            "A function or class needs no saved flow: give it to run() or test() as it is, or write flow.flex.yaml "
            "with the line 'entry: module:Name'."
        )


def _values(inputs: Mapping[str, Any] | str | PathLike[str] | None) -> dict[str, Any]:
    if inputs is None or isinstance(inputs, Mapping):
        return dict(inputs or {})
    path = Path(inputs).expanduser()
    if not path.is_file():
        raise UserError(f"inputs: there is no file {path}.")
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    try:
        values = json.loads(lines[0] if path.suffix == ".jsonl" and lines else "\n".join(lines))
    except ValueError as error:
        raise UserError(f"inputs: {path.name} is not JSON: {error}") from None
    if not isinstance(values, dict):
        raise UserError(f"inputs: {path.name} holds a {type(values).__name__}, not an object with the inputs by name.")
    return values


async def _try(flow: model.Flow, values: Mapping[str, Any], init: Mapping[str, Any], node: str | None) -> TryResult:
    outer = current_services()
    connections = outer.connections if outer else app(flow.folder).connections()
    runner = await prepare(flow, connections, outer.open_provider if outer else open_provider, init=init, only=node)
    try:
        given = node_values(runner.flow, node, values) if node else require_inputs(runner.flow, values)
        return await try_line(runner, given, node)
    finally:
        await runner.close()


async def _prepared_once(flow: model.Flow) -> model.Flow:
    """The flow as it is when prepared: with what is inferred from signatures."""
    runner = await prepare(flow, app(flow.folder).connections(), open_provider)
    await runner.close()
    return runner.flow


def _declared(value: Any) -> dict[str, Any]:
    default = getattr(value, "default", None)
    return {"type": value.type} | ({"default": default} if default is not None else {})

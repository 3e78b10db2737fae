"""Flows as Python functions: ``flowyard.load_flow``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import TracebackType
from typing import Any, Self

from flowyard._util.aio import run_blocking, run_in_background
from flowyard._util.suggest import did_you_mean
from flowyard.api.running import Place, open_place
from flowyard.api.selection import Variant, selected_flow
from flowyard.api.text import facts_html, facts_text
from flowyard.client.context import Changes
from flowyard.client.prepared import Prepared
from flowyard.client.subject import Subject
from flowyard.errors import LineError, UserError
from flowyard.flows import model
from flowyard.flows.labels import selection_label
from flowyard.flows.parameters import apply_parameters
from flowyard.llm.services import current_services, note_usage
from flowyard.records import LineResult
from flowyard.runs.single import require_inputs

__all__ = ["Flow", "load_flow"]


class Flow:
    """A flow that is called with its inputs as keywords; ``load_flow`` makes one.

    It is prepared at its first call and stays so until ``close``, or the end of a ``with`` block. Calls may come from
    any thread and from inside a running event loop.
    """

    def __init__(
        self, source: model.Flow, *, parameters: Mapping[str, Any], init: Mapping[str, Any], place: Mapping[str, Any]
    ) -> None:
        self.source = source
        self.parameters = dict(parameters)
        self.flow = flow = apply_parameters(source, parameters)
        self.init = dict(init)
        self._make = partial(
            Prepared,
            lambda _selected: flow,
            init=self.init,
            connections=lambda found: open_place(found.folder, **place).connections(),
        )
        self._own = self._make()

    @property
    def name(self) -> str:
        return self.flow.name

    @property
    def inputs(self) -> dict[str, str]:
        """The inputs with their types, as the flow's file has them; a flex flow may leave them to its code."""
        return {name: declared.type for name, declared in self.flow.inputs.items()}

    @property
    def outputs(self) -> dict[str, str]:
        """The outputs with their types, as far as they are declared."""
        return {name: declared.type for name, declared in self.flow.outputs.items()}

    @property
    def variants(self) -> dict[str, tuple[str, ...]]:
        """Each node that has variants, with their ids, the default first."""
        return dict(self.flow.variants)

    @property
    def chosen(self) -> dict[str, str]:
        """Which variant each of these nodes has, ``{node: variant}``."""
        return dict(self.flow.chosen)

    def __call__(self, **inputs: Any) -> Any:
        """The outputs by name, or the one value of a flow without named outputs.

        Raises UserError for missing inputs and for what keeps the flow from being prepared, and LineError, saying node,
        exception and place, for what its code raised.
        """
        return _returned(self.invoke(inputs))

    async def call_async(self, **inputs: Any) -> Any:
        """The same, awaited: the event loop does not wait."""
        line = await run_in_background(self._line(inputs))
        return _returned(_counted(line))

    def invoke(self, inputs: Mapping[str, Any]) -> LineResult:
        """The whole record of one call: outputs or error, what each node gave, tokens, cost and time.

        A failed line is returned, not raised. Raises UserError as a call does.
        """
        return _counted(run_blocking(self._line(inputs)))

    def close(self) -> None:
        """Close what the flow has open, such as connections over HTTP; a later call prepares it again."""
        run_blocking(self._own.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def _line(self, inputs: Mapping[str, Any]) -> LineResult:
        return await self._prepared().call(_required(self.flow, inputs), Changes(), stream=False)

    def _prepared(self) -> Prepared:
        """The prepared form; inside of another flow's code one with that flow's connections and services."""
        outer = current_services()
        if outer is None:
            return self._own
        key = (self.flow.file, repr(self.chosen), repr(self.parameters), repr(self.init))
        return outer.shared(key, lambda: self._make(outer=outer))

    def _facts(self) -> dict[str, Any]:
        return {
            "inputs": _declared(self.inputs),
            "outputs": _declared(self.outputs),
            "version": selection_label(self.chosen, self.parameters) if self.chosen or self.parameters else None,
            "file": self.flow.file,
        }

    def __repr__(self) -> str:
        return facts_text(f"Flow {self.name}", self._facts())

    def _repr_html_(self) -> str:
        return facts_html(f"Flow {self.name}", self._facts())


def load_flow(
    path: Subject,
    *,
    variant: Variant | None = None,
    parameters: Mapping[str, Any] | None = None,
    init: Mapping[str, Any] | None = None,
    simulate: Place | None = None,
    home: Place | None = None,
    env_file: Place | None = None,
) -> Flow:
    """A flow as a function: its folder or file, ``module:Name``, a function, a class or an instance.

    ``variant`` chooses ``node.variant`` for some nodes, ``parameters`` gives ``{node.input: value}`` in place of what
    the file has, and ``init`` the arguments of a class. Raises UserError, FlowInvalid.
    """
    place = {"simulate": simulate, "home": home, "env_file": env_file}
    return Flow(selected_flow(path, variant), parameters=parameters or {}, init=init or {}, place=place)


def _required(flow: model.Flow, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs, with what stands in for none. Raises UserError for missing ones, and for names that are not known."""
    try:
        given = require_inputs(flow, inputs)
    except UserError as error:
        raise UserError(error.message, hint=f"It is called with {_declared_names(flow)}.") from None
    unknown = [name for name in given if name not in flow.inputs]
    if unknown and flow.inputs:
        near = did_you_mean(unknown[0], flow.inputs) or f"It is called with {_declared_names(flow)}."
        raise UserError(f"Flow {flow.name!r} has no input {unknown[0]!r}.", hint=near)
    return given


def _declared_names(flow: model.Flow) -> str:
    return ", ".join(f"{name}=…" for name in flow.inputs)


def _declared(types: Mapping[str, str]) -> str:
    return ", ".join(f"{name}: {kind}" for name, kind in types.items())


def _counted(line: LineResult) -> LineResult:
    """The line, counted for the flow whose code called, if there is one."""
    note_usage(line.usage)
    return line


def _returned(line: LineResult) -> Any:
    error = line.error
    if error is not None:
        node = f"Node {error.node!r} failed: " if error.node else ""
        raise LineError(f"{node}{error.type}: {error.message}", where=error.where)
    return line.returned

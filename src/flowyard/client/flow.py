"""Flows as Python functions: ``load_flow`` and the classes of ``promptflow.core``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar, Self

from flowyard._util.aio import iterate_blocking, iterate_in_background, run_blocking, run_in_background
from flowyard.client.answer import InvokeResult, answer_of
from flowyard.client.context import FlowContext, changes_of
from flowyard.client.exceptions import NotSupported, UserErrorException
from flowyard.client.prepared import Prepared, prepared_here
from flowyard.client.translate import error_of, speaking_promptflow
from flowyard.engine.stream import TextStream
from flowyard.flows import load as flows
from flowyard.flows import model
from flowyard.flows.load import find_flow_file
from flowyard.llm.services import note_usage
from flowyard.records import LineResult

__all__ = ["AsyncFlow", "Flow", "StreamingFlow", "load_flow"]


class Flow:
    """A flow on disk, called with its inputs as keywords; ``load_flow`` makes one.

    It is prepared at the first call and stays so; ``context`` says how it is called. Calls may come from any thread,
    also from inside a running event loop or another flow's code.
    """

    _streams: ClassVar[bool] = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self.context = FlowContext(streaming=self._streams)
        self._read = partial(_read, path)
        self._flow = self._read({})
        self._prepared = Prepared(self._read)

    @classmethod
    def load(cls, source: str | PathLike[str], **_ignored: Any) -> Self:
        """The flow at a path, relative to the caller's working directory. Raises UserErrorException."""
        if hasattr(source, "read"):
            raise NotSupported("A flow is loaded from a path: its code and prompts are read from the folder beside it.")
        with speaking_promptflow():
            return cls(find_flow_file(Path(source).expanduser().absolute()))

    @property
    def name(self) -> str:
        return self._flow.name

    @property
    def code(self) -> Path:
        """The folder of the flow's file."""
        return self.path.parent

    @property
    def inputs(self) -> dict[str, str]:
        """The inputs with their types."""
        return {name: declared.type for name, declared in self._flow.inputs.items()}

    @property
    def outputs(self) -> dict[str, str]:
        """The outputs with their types."""
        return {name: declared.type for name, declared in self._flow.outputs.items()}

    def __call__(self, *args: Any, **inputs: Any) -> Any:
        """The outputs by name, or the one value that a flow without named outputs returns.

        Raises UserErrorException for missing inputs and what the flow's code raised as ToolExecutionError.
        """
        _require_keywords(args)
        return self.invoke(inputs).output

    def invoke(self, inputs: Mapping[str, Any], connections: Mapping[str, Any] | None = None) -> InvokeResult:
        """The outputs with the records of the call and of each node. Raises as a call does."""
        with speaking_promptflow():
            line = run_blocking(_call(self, inputs, connections))
        return _answer(line, iterate_blocking)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"


class StreamingFlow(Flow):
    """The ``Flow`` of ``promptflow.core``: outputs that can arrive in pieces are generators, unasked."""

    _streams = True


class AsyncFlow(Flow):
    """The same as ``StreamingFlow``, awaited: ``await flow(question="…")``."""

    _streams = True

    async def __call__(self, *args: Any, **inputs: Any) -> Any:
        """As ``Flow``; outputs that can arrive in pieces are asynchronous generators."""
        _require_keywords(args)
        return (await self.invoke(inputs)).output

    async def invoke(  # type: ignore[override]
        self, inputs: Mapping[str, Any], connections: Mapping[str, Any] | None = None
    ) -> InvokeResult:
        """As ``Flow.invoke``."""
        with speaking_promptflow():
            line = await run_in_background(_call(self, inputs, connections))
        return _answer(line, iterate_in_background)


def load_flow(source: str | PathLike[str], **_ignored: Any) -> Flow:
    """The flow at a path as a function. Raises UserErrorException when there is none, or it cannot be read."""
    return Flow.load(source)


def _read(path: Path, selected: Mapping[str, str]) -> model.Flow:
    return flows.load_flow(path, selected)


def _require_keywords(args: tuple[Any, ...]) -> None:
    if args:
        raise UserErrorException("A flow is called with keyword arguments: flow(question=…).")


def _call(flow: Flow, inputs: Mapping[str, Any], connections: Mapping[str, Any] | None) -> Any:
    """The coroutine of one call; what it depends on is read here, in the caller's thread."""
    changes = changes_of(flow.context, connections)
    prepared = prepared_here(flow._prepared, flow.path, flow._read)
    return prepared.call(dict(inputs), changes, stream=flow.context.streaming)


def _answer(line: LineResult, opened: Callable[[Any], Any]) -> InvokeResult:
    note_usage(line.usage)
    if line.error:
        raise error_of(line.error)
    output = line.returned
    if isinstance(output, TextStream):
        return answer_of(line, opened(aiter(output)))
    if isinstance(output, Mapping):
        output = {
            name: opened(aiter(value)) if isinstance(value, TextStream) else value for name, value in output.items()
        }
    return answer_of(line, output)

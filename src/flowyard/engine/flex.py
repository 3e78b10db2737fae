"""Running a flex flow: a Python function or class for each line."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from flowyard.engine.flex_entry import AGGREGATE, LINE_NUMBER, FlexEntry, load_entry, load_function
from flowyard.engine.flex_init import init_arguments, instantiate
from flowyard.engine.flex_signature import Looseness, completed, loosely_typed
from flowyard.engine.modules import code_of
from flowyard.engine.runner import LOST, Execution, LineCollector, LineRunner, Surroundings
from flowyard.engine.stream import joined, opened
from flowyard.engine.tool import collect_metrics
from flowyard.flows.model import FlexFlow, Input
from flowyard.llm.call_place import one_line
from flowyard.llm.services import count_usage, use_services
from flowyard.records import AggregationResult, ErrorRecord, LineResult

__all__ = ["FlexRunner", "prepare_flex"]


def prepare_flex(flow: FlexFlow, around: Surroundings, init: Mapping[str, Any]) -> LineRunner:
    """Import the entry, infer what the file does not declare and make the instance. Raises UserError.

    The runner's ``flow`` has every input, output and init parameter.
    """
    with code_of(flow.folder), use_services(around.services):
        entry = load_entry(flow)
        entry.require_aggregate_fits()
        whole = completed(flow, entry)
        arguments = init_arguments(whole, entry, init, around.services.connections)
        instance = instantiate(entry, arguments)
    code = _Code(flow, entry, arguments, instance, loosely_typed(flow, entry))
    return FlexRunner(whole, code, around)


@dataclass(frozen=True, slots=True)
class _Code:
    """What runs: ``instance`` for each line, and one of its own for aggregation."""

    flow: FlexFlow
    entry: FlexEntry
    arguments: Mapping[str, Any]
    instance: Any
    loose: Looseness

    @property
    def aggregates(self) -> bool:
        return self.flow.aggregate is not None or self.has_own

    @property
    def has_own(self) -> bool:
        """Whether the code itself aggregates."""
        return hasattr(self.entry.target, AGGREGATE) and not inspect.isfunction(self.entry.target)

    def aggregate_function(self) -> Callable[[Sequence[Any]], Any]:
        """``__aggregate__`` of an instance that ran no line, as in prompt flow, unless the flow is an object itself."""
        with code_of(self.flow.folder):
            if self.flow.aggregate is not None and not self.has_own:
                return load_function(self.flow, self.flow.aggregate)
            function: Callable[[Sequence[Any]], Any] = getattr(instantiate(self.entry, self.arguments), AGGREGATE)
        return function


class FlexRunner(LineRunner):
    """A prepared flex flow."""

    flow: FlexFlow

    def __init__(self, flow: FlexFlow, code: _Code, around: Surroundings) -> None:
        super().__init__(flow, around)
        self._code = code

    async def _execute(self, inputs: Mapping[str, Any], line_number: int, *, stream: bool) -> Execution:
        values = self._arguments(inputs, line_number)
        with count_usage() as count:
            try:
                result = await self._called(self._code.instance, values)
                outputs, is_bare = _named(result)
                outputs = {name: await self._settled(value, stream=stream) for name, value in outputs.items()}
            except LOST:
                raise
            except BaseException as error:  # user code may raise anything; it costs its line only
                return Execution({}, self._record(error, self.flow.where), usage=count.total)
        return Execution(outputs, usage=count.total, is_bare=is_bare)

    async def _settled(self, value: Any, *, stream: bool) -> Any:
        return opened(value, self._host) if stream else await joined(value, self._host)

    def _arguments(self, inputs: Mapping[str, Any], line_number: int) -> dict[str, Any]:
        """What the call takes, and nothing else that the line has; defaults that only Python can write are Python's."""
        loose = self._code.loose.defaulted
        values = {
            name: inputs[name]
            for name in self.flow.inputs
            if name in inputs and not (name in loose and inputs[name] is None)
        }
        return values | ({LINE_NUMBER: line_number} if self._code.entry.takes_line_number else {})

    @property
    def runs_plainly(self) -> bool:
        return not _is_coroutine(self._code.instance)

    async def _called(self, function: Any, values: Mapping[str, Any]) -> Any:
        return await self._awaited(function, lambda: function(**values))

    async def _awaited(self, function: Any, call: Callable[[], Any]) -> Any:
        """The result of a call where user code runs: asynchronous code on its loop, all else in a thread."""
        if _is_coroutine(function):
            return await self._host.on_loop(call)
        result = await self._host.in_thread(call)
        return await self._host.on_loop(lambda: result) if inspect.isawaitable(result) else result

    def _typed(self, declared: Input, value: Any) -> Any:
        loose = self._code.loose
        is_none = value is None and declared.name in loose.take_none
        return value if is_none or declared.name in loose.untyped else super()._typed(declared, value)

    def aggregation_inputs(self) -> LineCollector:
        return _Results(is_needed=self._code.aggregates)

    async def run_aggregation(self, collected: LineCollector) -> AggregationResult:
        assert isinstance(collected, _Results)
        if not self._code.aggregates:
            return AggregationResult({})
        errors: tuple[ErrorRecord, ...] = ()
        returned: Any = {}
        with ExitStack() as stack:
            stack.enter_context(self._surroundings())
            stack.enter_context(one_line(None))
            metrics = stack.enter_context(collect_metrics())
            count = stack.enter_context(count_usage())
            try:
                function = await self._host.in_thread(self._code.aggregate_function)
                returned = await self._awaited(function, lambda: function(collected.in_order()))
            except LOST:
                raise
            except BaseException as error:  # prompt flow hides it; here the run says that its metrics are missing
                errors = (self._record(error, self.flow.where, AGGREGATE),)
        if isinstance(returned, dict):
            metrics |= {str(name): value for name, value in returned.items()}
        return AggregationResult(dict(metrics), (), errors, count.total, self._warnings_about(returned, metrics))

    def _warnings_about(self, returned: Any, metrics: Mapping[str, Any]) -> tuple[str, ...]:
        if isinstance(returned, dict) or (returned is None and metrics):
            return ()
        what = "nothing" if returned is None else f"a value of type {type(returned).__name__}"
        return (f"{self.flow.where}: {AGGREGATE} returned {what}; only a dict becomes metrics.",)


def _is_coroutine(function: Any) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def _named(result: Any) -> tuple[dict[str, Any], bool]:
    """The outputs by name, and whether the flow returned one value without a name."""
    if isinstance(result, dict):
        return {str(name): value for name, value in result.items()}, False
    if dataclasses.is_dataclass(result) and not isinstance(result, type):
        return {each.name: getattr(result, each.name) for each in dataclasses.fields(result)}, False
    return {"output": result}, True


class _Results(LineCollector):
    """What completed lines returned."""

    def __init__(self, *, is_needed: bool) -> None:
        self.is_needed = is_needed
        self._lines: list[tuple[int, Any]] = []

    def pick(self, line: LineResult) -> Any:
        return line.returned

    def add(self, line_number: int, picked: Any) -> None:
        self._lines.append((line_number, _Fields(picked) if isinstance(picked, dict) else picked))

    def in_order(self) -> list[Any]:
        """By line number, whatever order lines finished in."""
        return [result for _, result in sorted(self._lines, key=lambda line: line[0])]


class _Fields(dict[str, Any]):
    """Outputs whose names are also attributes, as ``__aggregate__`` may read them."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the outputs have no {name!r}") from None

"""Running one line through a prepared flow, and the aggregation nodes after all lines."""

from __future__ import annotations

import asyncio
import inspect
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from flowyard._util.redact import redact
from flowyard.engine.activate import is_bypassed
from flowyard.engine.aggregate import AggregationInputs, AggregationScope
from flowyard.engine.code import place_of
from flowyard.engine.environment import FlowEnvironment
from flowyard.engine.providers import Providers
from flowyard.engine.schedule import run_graph
from flowyard.engine.scope import LineScope, Scope
from flowyard.engine.step import Step, StepValue
from flowyard.engine.tool import collect_metrics
from flowyard.errors import FlowyardError
from flowyard.flows.coerce import CoercionError, coerce
from flowyard.flows.model import Flow, Literal
from flowyard.records import ErrorRecord, LineResult, LineTask, NodeResult, Usage

__all__ = ["AggregationResult", "LineRunner"]

_LOST = (KeyboardInterrupt, asyncio.CancelledError)


@dataclass(frozen=True, slots=True)
class AggregationResult:
    """What the aggregation nodes gave: metrics logged (also before a failure), node results and errors."""

    metrics: Mapping[str, Any]
    nodes: tuple[NodeResult, ...]
    errors: tuple[ErrorRecord, ...]


class LineRunner:
    """A prepared flow. ``run_line`` may be called by many tasks of one event loop at once.

    ``warnings`` are those of the flow's file and of its prepared nodes, for a person to read once.
    """

    def __init__(
        self,
        flow: Flow,
        steps: Sequence[Step],
        providers: Providers,
        environment: FlowEnvironment,
        secrets: Callable[[], Sequence[str]],
        *,
        threads: int,
    ) -> None:
        self.flow = flow
        self.warnings = (*flow.warnings, *(warning for step in steps for warning in step.warnings))
        self._line_steps = [step for step in steps if not step.node.aggregation]
        self._aggregation_steps = [step for step in steps if step.node.aggregation]
        self._providers = providers
        self._environment = environment
        self._secrets = secrets
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="flowyard-tool")

    async def run_line(self, task: LineTask) -> LineResult:
        """Run one line. A failing node, or inputs that do not fit, fail the line and raise nothing."""
        started_at, start = datetime.now(UTC).isoformat(timespec="milliseconds"), time.perf_counter()
        inputs: Mapping[str, Any] = task.inputs
        outputs: Mapping[str, Any] = {}
        nodes: dict[str, NodeResult] = {}
        error = task.error
        if error is None:
            inputs, error = self._line_inputs(task.inputs)
        if error is None:
            nodes = await run_graph(self._line_steps, lambda step, done: self._run_step(step, LineScope(inputs, done)))
            error = next((node.error for node in nodes.values() if node.error), None)
        if error is None:
            nodes, error = await self._without_generators(nodes)
        if error is None:
            outputs, error = self._outputs(inputs, nodes)
        return LineResult(
            line_number=task.line_number,
            status="failed" if error else "completed",
            inputs=inputs,
            outputs=outputs,
            error=error,
            nodes=tuple(nodes.values()),
            duration_s=time.perf_counter() - start,
            usage=sum((node.usage for node in nodes.values()), Usage()),
            started_at=started_at,
        )

    async def run_node(self, name: str, values: Mapping[str, Any]) -> NodeResult:
        """Run one node alone with given values for its inputs (by parameter name)."""
        step = next(step for step in [*self._line_steps, *self._aggregation_steps] if step.node.name == name)
        return await self._call(step, {**step.literals, **values})

    async def run_aggregation(self, collected: AggregationInputs) -> AggregationResult:
        """Run the aggregation nodes over what was collected from the completed lines."""

        async def run(step: Step, done: Mapping[str, NodeResult]) -> NodeResult:
            return await self._run_step(step, AggregationScope(collected, done))

        with collect_metrics() as metrics:
            nodes = await run_graph(self._aggregation_steps, run, stop_at_failure=False)
        errors = tuple(node.error for node in nodes.values() if node.error)
        return AggregationResult(dict(metrics), tuple(nodes.values()), errors)

    def aggregation_inputs(self) -> AggregationInputs:
        """An empty collector of what this flow's aggregation nodes read from lines."""
        return AggregationInputs(step.node for step in self._aggregation_steps)

    async def close(self) -> None:
        """Close connections and let threads end; a tool that is still running is not waited for."""
        self._environment.restore()
        await self._providers.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _line_inputs(self, given: Mapping[str, Any]) -> tuple[dict[str, Any], ErrorRecord | None]:
        values = dict(given)
        for name, declared in self.flow.inputs.items():
            if name not in values:
                if declared.required:
                    message = (
                        f"Required input {name!r} ({declared.type}) is missing. Given: {', '.join(given) or 'none'}."
                    )
                    return values, ErrorRecord("InputMissing", message, where=declared.where)
                values[name] = declared.default
            try:
                values[name] = coerce(values[name], declared.type)
            except CoercionError as error:
                return values, ErrorRecord("InputInvalid", f"Input {name!r}: {error}", where=declared.where)
        return values, None

    def _outputs(
        self, inputs: Mapping[str, Any], nodes: Mapping[str, NodeResult]
    ) -> tuple[dict[str, Any], ErrorRecord | None]:
        outputs: dict[str, Any] = {}
        scope = LineScope(inputs, nodes)
        for output in self.flow.outputs.values():
            try:
                outputs[output.name] = scope.read(output.value)
            except Exception as error:
                message = redact(f"Output {output.name!r}: {error}", self._secrets())
                return {}, ErrorRecord(type(error).__name__, message, where=output.where)
        return outputs, None

    async def _without_generators(
        self, nodes: Mapping[str, NodeResult]
    ) -> tuple[dict[str, NodeResult], ErrorRecord | None]:
        """Generators that are still unread become the text of their items, once for all who read them."""
        joined = dict(nodes)
        for step in self._line_steps:
            node = nodes[step.node.name]
            try:
                joined[node.node] = replace(node, output=await self._joined(node.output))
            except _LOST:
                raise
            except BaseException as error:  # the rest of a tool's code runs here, and may raise anything
                return joined, self._record(step, error)
        return joined, None

    async def _joined(self, value: Any) -> Any:
        if inspect.isgenerator(value):
            return await self._in_thread(lambda _: "".join(map(str, value)), {})
        if inspect.isasyncgen(value):
            return "".join([str(part) async for part in value])
        if isinstance(value, dict) and any(map(_is_generator, value.values())):
            return {key: await self._joined(item) for key, item in value.items()}
        return value

    async def _run_step(self, step: Step, scope: Scope) -> NodeResult:
        try:
            if is_bypassed(step.node, scope):
                return NodeResult(step.node.name, "bypassed")
            values = _arguments(step, scope)
        except Exception as error:
            message = redact(str(error).strip("'\""), self._secrets())
            record = ErrorRecord(type(error).__name__, message, step.node.name, step.node.where)
            return NodeResult(step.node.name, "failed", error=record)
        return await self._call(step, values)

    async def _call(self, step: Step, values: dict[str, Any]) -> NodeResult:
        start = time.perf_counter()
        try:
            value = await (step.call(values) if step.is_async else self._in_thread(step.call, values))
        except _LOST:
            raise
        except BaseException as error:  # user code may raise anything; it costs its line only
            spent = time.perf_counter() - start
            return NodeResult(step.node.name, "failed", error=self._record(step, error), duration_s=spent)
        spent = time.perf_counter() - start
        if isinstance(value, StepValue):
            return NodeResult(step.node.name, "completed", value.output, duration_s=spent, usage=value.usage)
        return NodeResult(step.node.name, "completed", value, duration_s=spent)

    async def _in_thread(self, call: Any, values: dict[str, Any]) -> Any:
        context = copy_context()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, context.run, _without_stop_iteration, call, values)

    def _record(self, step: Step, error: BaseException) -> ErrorRecord:
        secrets = self._secrets()
        known = isinstance(error, FlowyardError)
        trace = None if known else redact("".join(traceback.format_exception(error)[-6:]), secrets)
        return ErrorRecord(
            type=type(error).__name__,
            message=redact(str(error) or type(error).__name__, secrets),
            node=step.node.name,
            where=place_of(error, self.flow.folder) or step.node.where,
            traceback=trace,
        )


def _is_generator(value: Any) -> bool:
    return inspect.isgenerator(value) or inspect.isasyncgen(value)


def _without_stop_iteration(call: Any, values: dict[str, Any]) -> Any:
    try:
        return call(values)
    except StopIteration as error:  # a future cannot carry it
        raise RuntimeError(f"StopIteration: {error}") from error


def _arguments(step: Step, scope: Scope) -> dict[str, Any]:
    """The node's inputs by name; one fed by a bypassed node is left out if it has a default, else None."""
    values = dict(step.literals)
    for name, value in step.node.inputs.items():
        if isinstance(value, Literal):
            continue
        if not scope.was_bypassed(value):
            values[name] = scope.read(value)
        elif name not in step.optional:
            values[name] = None
    return values

"""Running a DAG flow: its nodes for each line, and its aggregation nodes after all lines."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from flowyard._util.redact import redact
from flowyard.engine.activate import is_bypassed, looks_equal
from flowyard.engine.aggregate import AggregationInputs, AggregationScope
from flowyard.engine.node_cache import NodeCache
from flowyard.engine.nodes import prepare_nodes
from flowyard.engine.runner import LOST, Execution, LineCollector, LineRunner, Surroundings
from flowyard.engine.schedule import Plan
from flowyard.engine.scope import LineScope, Scope
from flowyard.engine.step import Step
from flowyard.engine.stream import holds_streams, is_stream, joined, opened
from flowyard.engine.tool import collect_metrics
from flowyard.flows.model import DagFlow, NodeRef
from flowyard.llm.call_place import at_node, one_line
from flowyard.llm.services import count_usage
from flowyard.records import AggregationResult, ErrorRecord, NodeResult, sum_usage

__all__ = ["DagRunner", "prepare_dag"]


def prepare_dag(flow: DagFlow, around: Surroundings, only: str | None) -> LineRunner:
    """Resolve every node, or the one that ``only`` names. Raises FlowInvalid with every problem."""
    return DagRunner(flow, prepare_nodes(flow, around.services, only), around)


class DagRunner(LineRunner):
    """A prepared DAG flow."""

    flow: DagFlow

    def __init__(self, flow: DagFlow, steps: Sequence[Step], around: Surroundings) -> None:
        self._kept = NodeCache(flow, around.services)
        warnings = [warning for step in steps for warning in step.warnings]
        super().__init__(flow, around, [*warnings, *self._kept.warnings])
        self._lines = Plan([step for step in steps if not step.node.aggregation])
        self._aggregation = Plan([step for step in steps if step.node.aggregation])
        self._streaming = _streaming_nodes(flow)
        self._noted: dict[str, None] = {}

    async def _execute(self, inputs: Mapping[str, Any], line_number: int, *, stream: bool) -> Execution:  # noqa: ARG002
        async def run(step: Step, done: Mapping[str, NodeResult]) -> NodeResult:
            return await self._run_step(step, LineScope(inputs, done), stream=stream)

        nodes = await self._lines.run(run)
        outputs: Mapping[str, Any] = {}
        error = next((node.error for node in nodes.values() if node.error), None)
        if error is None and any(holds_streams(node.output) for node in nodes.values()):
            nodes, error = await self._without_generators(nodes, stream=stream)
        if error is None:
            outputs, error = self._outputs(inputs, nodes)
        usage = sum_usage(node.usage for node in nodes.values())
        return Execution(outputs, error, tuple(nodes.values()), usage)

    @property
    def runs_plainly(self) -> bool:
        """A chain of plain code: no two of its nodes could run at once, and none waits for an event loop."""
        return self._lines.is_chain and all(step.place == "thread" for step in self._lines.steps)

    async def run_node(self, name: str, values: Mapping[str, Any]) -> NodeResult:
        step = next(step for step in [*self._lines.steps, *self._aggregation.steps] if step.node.name == name)
        with ExitStack() as stack:
            stack.enter_context(self._surroundings())
            stack.enter_context(one_line(None))
            return await self._call(step, {**step.literals, **values}, stream=False)

    def aggregation_inputs(self) -> AggregationInputs:
        return AggregationInputs(step.node for step in self._aggregation.steps)

    async def run_aggregation(self, collected: LineCollector) -> AggregationResult:
        assert isinstance(collected, AggregationInputs)

        async def run(step: Step, done: Mapping[str, NodeResult]) -> NodeResult:
            return await self._run_step(step, AggregationScope(collected, done), stream=False)

        with ExitStack() as stack:
            stack.enter_context(self._surroundings())
            stack.enter_context(one_line(None))
            metrics = stack.enter_context(collect_metrics())
            nodes = await self._aggregation.run(run, stop_at_failure=False)
        errors = tuple(node.error for node in nodes.values() if node.error)
        usage = sum_usage(node.usage for node in nodes.values())
        return AggregationResult(dict(metrics), tuple(nodes.values()), errors, usage)

    def _outputs(
        self, inputs: Mapping[str, Any], nodes: Mapping[str, NodeResult]
    ) -> tuple[dict[str, Any], ErrorRecord | None]:
        outputs: dict[str, Any] = {}
        scope = LineScope(inputs, nodes)
        for output in self.flow.outputs.values():
            try:
                outputs[output.name] = scope.read(output.value)
            except Exception as error:
                message = redact(f"Output {output.name!r}: {error}", self._services.connections.secrets())
                return {}, ErrorRecord(type(error).__name__, message, where=output.where)
        return outputs, None

    async def _without_generators(
        self, nodes: Mapping[str, NodeResult], *, stream: bool
    ) -> tuple[dict[str, NodeResult], ErrorRecord | None]:
        """Generators that are still unread become the text of their items, once for all who read them.

        With ``stream`` those that only an output reads stay open.
        """
        settled = dict(nodes)
        for step in self._lines.steps:
            node = nodes[step.node.name]
            if stream and node.node in self._streaming and is_stream(node.output):
                settled[node.node] = replace(node, output=opened(node.output, self._host))
            elif holds_streams(node.output):
                try:
                    # A model may be asked, or end its answer, only now.
                    with at_node(node.node, keeps=step.node.keeps), count_usage() as count:
                        output = await joined(node.output, self._host)
                    settled[node.node] = replace(
                        node, output=output, usage=node.usage + count.total, prompts=node.prompts + count.prompts
                    )
                except LOST:
                    raise
                except BaseException as error:  # the rest of a tool's code runs here, and may raise anything
                    return settled, self._record(error, step.node.where, step.node.name)
        return settled, None

    async def _run_step(self, step: Step, scope: Scope, *, stream: bool) -> NodeResult:
        try:
            if _may_be_bypassed(step, scope) and is_bypassed(step.node, scope):
                self._note(looks_equal(step.node, scope))
                return NodeResult(step.node.name, "bypassed")
            values = _arguments(step, scope)
        except Exception as error:
            message = redact(str(error).strip("'\""), self._services.connections.secrets())
            record = ErrorRecord(type(error).__name__, message, step.node.name, step.node.where)
            return NodeResult(step.node.name, "failed", error=record)
        return await self._call(step, values, stream=stream)

    def _note(self, warning: str | None) -> None:
        if warning:
            self._noted[warning] = None

    def begin_run(self) -> None:
        super().begin_run()
        self._noted = {}

    def late_warnings(self) -> tuple[str, ...]:
        return (*super().late_warnings(), *self._noted)

    def stream_warnings(self) -> tuple[str, ...]:
        shown = {each.value.node for each in self.flow.outputs.values() if isinstance(each.value, NodeRef)}
        return tuple(
            f"{step.node.where}: the answer of node {step.node.name!r} comes in one piece, because another node reads "
            "it too, or an output shows a part of it only."
            for step in self._lines.steps
            if step.stream is not None and step.node.name in shown - self._streaming
        )

    async def _call(self, step: Step, values: dict[str, Any], *, stream: bool) -> NodeResult:
        start = time.perf_counter()
        key = self._kept.key(step.node, values)
        if key is not None and (found := self._kept.get(step.node, key)) is not None:
            return found
        streamed = step.stream if stream and step.node.name in self._streaming else None
        with at_node(step.node.name, keeps=step.node.keeps), count_usage() as count:
            try:
                value = await self._at_its_place(step, streamed or step.call, values)
            except LOST:
                raise
            except BaseException as error:  # user code may raise anything; it costs its line only
                record = self._record(error, step.node.where, step.node.name)
                spent = time.perf_counter() - start
                return NodeResult(
                    step.node.name,
                    "failed",
                    error=record,
                    duration_s=spent,
                    usage=count.total,
                    prompts=count.prompts,
                    clock_s=start,
                )
        spent = time.perf_counter() - start
        result = NodeResult(
            step.node.name,
            "completed",
            value,
            duration_s=spent,
            usage=count.total,
            prompts=count.prompts,
            clock_s=start,
        )
        if key is not None:
            self._kept.put(step.node, key, result)
        return result

    async def close(self) -> None:
        self._kept.close()
        await super().close()

    async def _at_its_place(self, step: Step, call: Any, values: dict[str, Any]) -> Any:
        if step.place == "thread":
            return await self._host.in_thread(call, values)
        if step.place == "code loop":
            return await self._host.on_loop(call, values)
        return await call(values)


def _streaming_nodes(flow: DagFlow) -> frozenset[str]:
    """Nodes whose whole output an output of the flow shows and no other node reads: prompt flow's rule."""
    values = [output.value for output in flow.outputs.values()]
    shown = {value.node for value in values if isinstance(value, NodeRef) and not value.path}
    return frozenset(shown - {name for node in flow.nodes for name in node.reads()})


def _may_be_bypassed(step: Step, scope: Scope) -> bool:
    """A quick answer for the many nodes whose first input is there."""
    refs = step.node_refs
    return step.node.activate is not None or bool(refs and scope.was_bypassed(refs[0]))


def _arguments(step: Step, scope: Scope) -> dict[str, Any]:
    """The node's inputs by name; one fed by a bypassed node is left out if it has a default, else None."""
    values = dict(step.literals)
    for name, value in step.bound:
        if not scope.was_bypassed(value):
            values[name] = scope.read(value)
        elif name not in step.optional:
            values[name] = None
    return values

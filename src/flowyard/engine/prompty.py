"""Running a prompty: one prompt, one model call for each line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flowyard.engine.prompty_call import PromptyCall, PromptyPrompt
from flowyard.engine.runner import LOST, Execution, LineCollector, LineRunner, Surroundings
from flowyard.engine.stream import TextStream
from flowyard.flows.model import Input, PromptyFlow
from flowyard.llm.answer import Answer
from flowyard.llm.services import count_usage
from flowyard.media import prompty_image
from flowyard.records import AggregationResult, LineResult

__all__ = ["prepare_prompty"]


def prepare_prompty(flow: PromptyFlow, around: Surroundings) -> LineRunner:
    """Parse the template and resolve the model. Raises UserError, ConnectionMissing."""
    prompt = PromptyPrompt(flow)
    return _PromptyRunner(flow, PromptyCall(prompt, around.services), around, prompt.holes())


class _Nothing(LineCollector):
    """A prompty aggregates nothing."""

    is_needed = False

    def pick(self, line: LineResult) -> None:
        """Nothing of it is needed."""

    def add(self, line_number: int, picked: None) -> None:
        """Nothing of it is needed."""


class _PromptyRunner(LineRunner):
    """A prepared prompty."""

    flow: PromptyFlow

    def __init__(self, flow: PromptyFlow, call: PromptyCall, around: Surroundings, warnings: tuple[str, ...]) -> None:
        super().__init__(flow, around, warnings)
        self._call = call

    async def _with_pictures(self, declared: Input, value: Any, folder: Path | None) -> Any:
        """A text that names a picture becomes it; a path is one beside the prompty, or refused (``folder`` None)."""
        here = None if folder is None else self.flow.folder
        return await prompty_image(value, here, self._services.urls, name=declared.name)

    async def _execute(self, inputs: Mapping[str, Any], line_number: int, *, stream: bool) -> Execution:  # noqa: ARG002
        values = {name: inputs[name] for name in self.flow.inputs}
        with count_usage() as count:
            try:
                result = await self._result(values, stream=stream)
            except LOST:
                raise
            except BaseException as error:  # filters of a template and objects in its inputs may raise anything
                return Execution({}, self._record(error, self.flow.where), usage=count.total)
        # An object of JSON is the outputs by name; the whole answer of a model is one value.
        if isinstance(result, dict) and not isinstance(result, Answer):
            return Execution(result, usage=count.total)
        return Execution({"output": result}, usage=count.total, is_bare=True)

    async def _result(self, values: Mapping[str, Any], *, stream: bool) -> Any:
        if stream and self._call.can_stream:
            return TextStream(await self._call.pieces(values))
        result = await self._call.answer(values)
        if not hasattr(result, "__aiter__"):
            return result
        if stream:
            return TextStream(result)
        items = [item async for item in result]
        return items if self.flow.response == "all" else "".join(items)

    def aggregation_inputs(self) -> LineCollector:
        return _Nothing()

    async def run_aggregation(self, collected: LineCollector) -> AggregationResult:  # noqa: ARG002
        return AggregationResult({})

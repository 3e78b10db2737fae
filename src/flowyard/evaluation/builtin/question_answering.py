"""All judges of a question and answer at once, and the words it shares with the expected answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from flowyard._util.aio import run_blocking
from flowyard.evaluation.builtin.answer_quality import Coherence, Fluency, Groundedness, Relevance, Similarity
from flowyard.evaluation.builtin.text_overlap import F1Score
from flowyard.llm.model_configuration import ModelConfiguration
from flowyard.llm.services import Services

__all__ = ["QuestionAnswering", "gathered"]


class QuestionAnswering:
    """Six metrics of one answer; the model is asked for all grades at once unless ``parallel`` is off.

    Raises UserError as Judge does.
    """

    def __init__(
        self,
        model_config: ModelConfiguration | Mapping[str, Any],
        services: Callable[[], Services],
        parallel: bool = True,
    ) -> None:
        self._parallel = parallel
        self._groundedness = Groundedness(model_config, services)
        self._relevance = Relevance(model_config, services)
        self._coherence = Coherence(model_config, services)
        self._fluency = Fluency(model_config, services)
        self._similarity = Similarity(model_config, services)
        self._f1 = F1Score()

    def __call__(
        self, *, question: str, answer: str, context: str, ground_truth: str, **_others: Any
    ) -> dict[str, float]:
        """The grades ``gpt_…`` and ``f1_score``. Raises what the first failing judge raises."""
        shared = self._f1(answer=answer, ground_truth=ground_truth)
        return run_blocking(self._grades(question, answer, context, ground_truth)) | shared

    async def _grades(self, question: str, answer: str, context: str, ground_truth: str) -> dict[str, float]:
        calls: list[Callable[[], Awaitable[dict[str, float]]]] = [
            lambda: self._groundedness.grade(answer=answer, context=context),
            lambda: self._relevance.grade(question=question, answer=answer, context=context),
            lambda: self._coherence.grade(question=question, answer=answer),
            lambda: self._fluency.grade(question=question, answer=answer),
            lambda: self._similarity.grade(question=question, answer=answer, ground_truth=ground_truth),
        ]
        found: dict[str, float] = {}
        for grades in await gathered(calls, parallel=self._parallel):
            found |= grades
        return found


async def gathered(
    calls: Sequence[Callable[[], Awaitable[dict[str, float]]]], *, parallel: bool
) -> list[dict[str, float]]:
    """The results in order, all asked for at once or one after the other. Raises what the first failing call raises."""
    if not parallel:
        return [await call() for call in calls]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_called(call)) for call in calls]
    except BaseExceptionGroup as group_error:
        raise group_error.exceptions[0] from None
    return [task.result() for task in tasks]


async def _called(call: Callable[[], Awaitable[dict[str, float]]]) -> dict[str, float]:
    return await call()

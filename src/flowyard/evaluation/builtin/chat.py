"""The judges of a conversation: every reply graded, and the mean of each metric."""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from statistics import fmean
from typing import Any

from flowyard._util.aio import run_blocking
from flowyard.errors import FlowyardError
from flowyard.evaluation.builtin.answer_quality import Coherence, Fluency, Groundedness, Relevance
from flowyard.evaluation.builtin.conversation import Turn, parse_conversation
from flowyard.evaluation.builtin.judge import Judge
from flowyard.evaluation.builtin.question_answering import gathered
from flowyard.llm.model_configuration import ModelConfiguration
from flowyard.llm.services import Services

__all__ = ["Chat", "Retrieval"]

_log = logging.getLogger("flowyard")


class Retrieval(Judge):
    """Whether the citations of each reply help to answer its question."""

    PROMPT = "retrieval.prompty"
    METRIC = "gpt_retrieval"

    def __call__(self, *, conversation: list[Any], **_others: Any) -> dict[str, Any]:
        """The mean and the grade of each turn; a reply without citations has NaN. Raises ValueError."""
        return run_blocking(self._turns(parse_conversation(conversation)))

    async def _turns(self, turns: list[Turn]) -> dict[str, Any]:
        return _summary([await _attempt(self.METRIC, self.of_turn(turns, place)) for place in range(len(turns))])

    def of_turn(self, turns: list[Turn], place: int) -> Callable[[], Awaitable[dict[str, float]]]:
        """The call that grades one turn, with the conversation up to it."""
        turn = turns[place]
        history = [{"user": each.question, "assistant": each.answer} for each in turns[: place + 1]]
        return lambda: self.grade(conversation=history, question=turn.question, documents=turn.citations)


class Chat:
    """Coherence and fluency of every reply; groundedness, relevance and retrieval too if every reply has citations.

    With ``eval_last_turn`` only the last turn counts. A grade that could not be had is NaN and is left out of the
    means. Raises UserError as Judge does.
    """

    def __init__(
        self,
        model_config: ModelConfiguration | Mapping[str, Any],
        services: Callable[[], Services],
        eval_last_turn: bool = False,
        parallel: bool = True,
    ) -> None:
        self._last_only = eval_last_turn
        self._parallel = parallel
        self._coherence = Coherence(model_config, services)
        self._fluency = Fluency(model_config, services)
        self._groundedness = Groundedness(model_config, services)
        self._relevance = Relevance(model_config, services)
        self._retrieval = Retrieval(model_config, services)

    def __call__(self, *, conversation: list[Any], **_others: Any) -> dict[str, Any]:
        """``<metric>`` means and ``evaluation_per_turn``: ``{metric: {"score": [a grade for each turn]}}``.

        Raises ValueError for what is no conversation.
        """
        turns = parse_conversation(conversation)
        return run_blocking(self._graded(turns[-1:] if self._last_only else turns))

    async def _graded(self, turns: list[Turn]) -> dict[str, Any]:
        cited = all(turn.citations is not None for turn in turns)
        if not cited:
            _log.warning("Not every reply has citations, so groundedness, relevance and retrieval are not graded.")
        return _summary([await self._turn(turns, place, cited=cited) for place in range(len(turns))])

    async def _turn(self, turns: list[Turn], place: int, *, cited: bool) -> dict[str, float]:
        turn = turns[place]
        texts = {"question": turn.question, "answer": turn.answer}
        calls: dict[str, Callable[[], Awaitable[dict[str, float]]]] = {
            Coherence.METRIC: lambda: self._coherence.grade(**texts),
            Fluency.METRIC: lambda: self._fluency.grade(**texts),
        }
        if cited:
            calls |= {
                Groundedness.METRIC: lambda: self._groundedness.grade(answer=turn.answer, context=turn.citations),
                Relevance.METRIC: lambda: self._relevance.grade(**texts, context=turn.citations),
                Retrieval.METRIC: self._retrieval.of_turn(turns, place),
            }
        attempts = [_attempted(metric, call) for metric, call in calls.items()]
        grades: dict[str, float] = {}
        for found in await gathered(attempts, parallel=self._parallel):
            grades |= found
        return grades


def _attempted(
    metric: str, call: Callable[[], Awaitable[dict[str, float]]]
) -> Callable[[], Awaitable[dict[str, float]]]:
    return lambda: _attempt(metric, call)


async def _attempt(metric: str, call: Callable[[], Awaitable[dict[str, float]]]) -> dict[str, float]:
    """The grade, or NaN with a warning: one that fails does not cost the conversation its others."""
    try:
        return await call()
    except (FlowyardError, ValueError) as error:
        _log.warning("%s of a turn could not be graded: %s", metric, error)
        return {metric: math.nan}


def _summary(turns: list[dict[str, float]]) -> dict[str, Any]:
    per_turn = {metric: [turn[metric] for turn in turns] for metric in sorted(turns[0])}
    means = {metric: _mean(grades) for metric, grades in per_turn.items()}
    return {**means, "evaluation_per_turn": {metric: {"score": grades} for metric, grades in per_turn.items()}}


def _mean(grades: list[float]) -> float:
    known = [grade for grade in grades if not math.isnan(grade)]
    return fmean(known) if known else math.nan

"""The judges of an answer, each by criteria of its own, and several of them at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flowyard._util.suggest import did_you_mean, known_names
from flowyard.errors import UserError
from flowyard.evaluation.judges.asking import together
from flowyard.evaluation.judges.criteria import CRITERIA
from flowyard.evaluation.judges.judge import CriteriaJudge, require_text

__all__ = ["Coherence", "Fluency", "Groundedness", "QuestionAnswering", "Relevance", "Retrieval", "Similarity"]


class Groundedness(CriteriaJudge):
    """``groundedness``: whether the context supports the answer, from 1 to 5."""

    def __init__(self, **options: Any) -> None:
        super().__init__(CRITERIA["groundedness"], options)

    async def __call__(self, *, answer: str, context: Any) -> dict[str, Any]:
        require_text(answer=answer, context=context)
        return await self.graded(context=context, answer=answer)


class Relevance(CriteriaJudge):
    """``relevance``: whether the answer addresses the question, from 1 to 5."""

    def __init__(self, **options: Any) -> None:
        super().__init__(CRITERIA["relevance"], options)

    async def __call__(self, *, question: str, answer: str, context: Any = None) -> dict[str, Any]:
        require_text(question=question, answer=answer)
        return await self.graded(question=question, context=context, answer=answer)


class Coherence(CriteriaJudge):
    """``coherence``: whether the sentences of the answer hang together, from 1 to 5."""

    def __init__(self, **options: Any) -> None:
        super().__init__(CRITERIA["coherence"], options)

    async def __call__(self, *, question: str, answer: str) -> dict[str, Any]:
        require_text(question=question, answer=answer)
        return await self.graded(question=question, answer=answer)


class Fluency(CriteriaJudge):
    """``fluency``: whether the answer is well written, from 1 to 5."""

    def __init__(self, **options: Any) -> None:
        super().__init__(CRITERIA["fluency"], options)

    async def __call__(self, *, answer: str) -> dict[str, Any]:
        require_text(answer=answer)
        return await self.graded(answer=answer)


class Similarity(CriteriaJudge):
    """``similarity``: whether the answer says what was expected, from 1 to 5."""

    def __init__(self, **options: Any) -> None:
        super().__init__(CRITERIA["similarity"], options)

    async def __call__(self, *, answer: str, ground_truth: str, question: Any = None) -> dict[str, Any]:
        require_text(answer=answer, ground_truth=ground_truth)
        return await self.graded(question=question, ground_truth=ground_truth, answer=answer)


class Retrieval(CriteriaJudge):
    """``retrieval``: whether the documents that were found help to answer the question, from 1 to 5."""

    def __init__(self, **options: Any) -> None:
        super().__init__(CRITERIA["retrieval"], options)

    async def __call__(self, *, question: str, context: Any) -> dict[str, Any]:
        require_text(question=question, context=context)
        return await self.graded(question=question, context=context)


_OF_AN_ANSWER = {
    "groundedness": Groundedness,
    "relevance": Relevance,
    "coherence": Coherence,
    "fluency": Fluency,
    "similarity": Similarity,
}
_NEEDED = {"groundedness": "context", "similarity": "ground_truth"}


class QuestionAnswering:
    """Several judges of one answer at once: each gives its score, and ``<score>_reason`` and so on beside it.

    ``judges`` says which, all five if it is left out. Groundedness is left out of a line without a context, similarity
    of one without a ground truth.
    """

    def __init__(self, judges: Sequence[str] | None = None, **options: Any) -> None:
        names = list(_OF_AN_ANSWER) if judges is None else list(judges)
        for name in names:
            if name not in _OF_AN_ANSWER:
                hint = did_you_mean(str(name), _OF_AN_ANSWER) or f"There are: {known_names(_OF_AN_ANSWER)}."
                raise UserError(f"'judges' of a qa judge cannot have {name!r}.", hint=hint)
        self._judges: dict[str, Any] = {name: _OF_AN_ANSWER[name](**options) for name in names}

    @property
    def bounds(self) -> dict[str, tuple[float, float]]:
        """The lowest and the highest that each score can be."""
        return {name: limits for judge in self._judges.values() for name, limits in judge.bounds.items()}

    async def __call__(
        self, *, question: str, answer: str, context: Any = None, ground_truth: Any = None
    ) -> dict[str, Any]:
        require_text(question=question, answer=answer)
        given = {"question": question, "answer": answer, "context": context, "ground_truth": ground_truth}
        asked = [name for name in self._judges if name not in _NEEDED or given[_NEEDED[name]] is not None]
        calls = [self._judges[name].graded(**_shown(name, given)) for name in asked]
        found: dict[str, Any] = {}
        for name, grades in zip(asked, await together(calls), strict=True):
            found |= {key if key == name else f"{name}_{key}": value for key, value in grades.items()}
        return found

    def __aggregate__(self, results: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        """The mean of each score, and how many of the lines that it was asked for have none."""
        metrics: dict[str, float] = {}
        for name, judge in self._judges.items():
            own = [{"spread": each.get(f"{name}_spread"), name: each[name]} for each in results if name in each]
            found = judge.__aggregate__(own)
            metrics |= {key if key == name else f"{name}_{key}": value for key, value in found.items()}
        return metrics


_SHOWN = {
    "groundedness": ("context", "answer"),
    "relevance": ("question", "context", "answer"),
    "coherence": ("question", "answer"),
    "fluency": ("answer",),
    "similarity": ("question", "ground_truth", "answer"),
}


def _shown(judge: str, given: Mapping[str, Any]) -> dict[str, Any]:
    return {label: given[label] for label in _SHOWN[judge]}

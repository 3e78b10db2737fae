"""The judges of one question and answer. Keywords that a judge does not read are ignored."""

from __future__ import annotations

from typing import Any

from flowyard.evaluation.builtin.judge import Judge

__all__ = ["Coherence", "Fluency", "Groundedness", "Relevance", "Similarity"]


class Groundedness(Judge):
    """Whether the context supports the answer."""

    PROMPT = "groundedness.prompty"
    METRIC = "gpt_groundedness"

    def __call__(self, *, answer: str, context: str, **_others: Any) -> dict[str, float]:
        return self._graded(answer=answer, context=context)


class Relevance(Judge):
    """Whether the answer addresses the question, given the context."""

    PROMPT = "relevance.prompty"
    METRIC = "gpt_relevance"

    def __call__(self, *, question: str, answer: str, context: str, **_others: Any) -> dict[str, float]:
        return self._graded(question=question, answer=answer, context=context)


class Coherence(Judge):
    """Whether the answer's sentences hang together."""

    PROMPT = "coherence.prompty"
    METRIC = "gpt_coherence"

    def __call__(self, *, question: str, answer: str, **_others: Any) -> dict[str, float]:
        return self._graded(question=question, answer=answer)


class Fluency(Judge):
    """Whether the answer is well-formed language."""

    PROMPT = "fluency.prompty"
    METRIC = "gpt_fluency"

    def __call__(self, *, question: str, answer: str, **_others: Any) -> dict[str, float]:
        return self._graded(question=question, answer=answer)


class Similarity(Judge):
    """Whether the answer means what was expected."""

    PROMPT = "similarity.prompty"
    METRIC = "gpt_similarity"

    def __call__(self, *, question: str, answer: str, ground_truth: str, **_others: Any) -> dict[str, float]:
        return self._graded(question=question, answer=answer, ground_truth=ground_truth)

"""The scores of shared words under their names in the catalogue; ``text_overlap`` counts, for them as for promptflow.

A missing answer shares no words, so it scores 0. A missing expected text fails the line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flowyard.errors import LineError, UserError
from flowyard.evaluation.builtin.given import require_expected, text_of
from flowyard.evaluation.builtin.text_overlap import (
    BleuScore,
    F1Score,
    GleuScore,
    MeteorScore,
    RougeScore,
    RougeType,
)

__all__ = ["F1", "Bleu", "Gleu", "Meteor", "Rouge"]


class _Overlap:
    """Scores two texts that are there."""

    def __init__(self, score: Callable[..., Mapping[str, float]], names: tuple[str, ...]) -> None:
        self._score = score
        self._names = names

    def __call__(self, *, answer: Any, ground_truth: Any) -> dict[str, float]:
        """The scores from 0 to 1. Raises LineError without an expected text."""
        expected = text_of(require_expected(ground_truth))
        if not expected.strip():
            raise LineError("There is no expected value: 'ground_truth' is empty.", hint="Label the line.")
        given = text_of(answer)
        if not given.strip():
            return dict.fromkeys(self._names, 0.0)
        return dict(self._score(answer=given, ground_truth=expected))


class F1(_Overlap):
    """``f1_score``."""

    def __init__(self) -> None:
        super().__init__(F1Score(), ("f1_score",))


class Bleu(_Overlap):
    """``bleu_score``. Raises ExtraMissing."""

    def __init__(self) -> None:
        super().__init__(BleuScore(), ("bleu_score",))


class Gleu(_Overlap):
    """``gleu_score``. Raises ExtraMissing."""

    def __init__(self) -> None:
        super().__init__(GleuScore(), ("gleu_score",))


class Meteor(_Overlap):
    """``meteor_score``. Raises ExtraMissing."""

    def __init__(self, alpha: float = 0.9, beta: float = 3.0, gamma: float = 0.5) -> None:
        super().__init__(MeteorScore(alpha, beta, gamma), ("meteor_score",))


class Rouge(_Overlap):
    """``rouge_f1_score``, ``rouge_precision`` and ``rouge_recall``. Raises ExtraMissing, UserError for another type."""

    def __init__(self, rouge_type: str = "rougeL") -> None:
        if rouge_type not in tuple(RougeType):
            raise UserError(f"'rouge_type' is {rouge_type!r}.", hint=f"Write one of: {', '.join(RougeType)}.")
        super().__init__(RougeScore(rouge_type), ("rouge_f1_score", "rouge_precision", "rouge_recall"))

"""A judge of two answers: which is better, asked in both orders, because models favour a place."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any

from flowyard.errors import UserError
from flowyard.evaluation.judges.answer import Judgement
from flowyard.evaluation.judges.asking import together
from flowyard.evaluation.judges.criteria import Criteria
from flowyard.evaluation.judges.judge import CriteriaJudge, mean_of, require_text
from flowyard.evaluation.judges.scale import Scale
from flowyard.evaluation.judges.votes import combine

__all__ = ["Pairwise"]

_TASK = """\
Two answers, "first" and "second", reply to the same question, which may not be given. Which is the better reply?
{rubric}
Their order says nothing, and neither does their length. Say "tie" when neither is clearly better."""
_RUBRIC = "The better one is more correct, leaves out less that matters, and is easier to use."
_PLACES = Scale({"second": 0.0, "tie": 0.5, "first": 1.0}, has_labels=True)
_WINNERS = {1.0: "answer", 0.5: "tie", 0.0: "reference"}


@dataclass(frozen=True, slots=True)
class _Vote:
    """What both orders came to. ``first_favoured`` is above 0 when the first place won by being first, below 0 when the
    second did, 0 when the orders agree, None when one of them gave no judgement.
    """

    outcome: Judgement | str
    first_favoured: float | None = None


def _vote_of(forth: Judgement | str, back: Judgement | str) -> _Vote:
    """The vote of both orders; ``forth`` has the answer first. Orders that disagree are a tie."""
    if isinstance(forth, str) or isinstance(back, str):
        return _Vote(forth if isinstance(forth, str) else back)
    if forth.number == 1.0 - back.number:
        return _Vote(forth, 0.0)
    reason = f"The orders disagree. Answer first: {forth.reason} Reference first: {back.reason}"
    return _Vote(Judgement("tie", 0.5, reason), forth.number + back.number - 1.0)


class Pairwise(CriteriaJudge):
    """``pairwise``: 1 when the answer beats the reference, 0 when it loses, 0.5 for a tie.

    Each vote asks in both orders; when they disagree the vote is a tie, and ``orders_disagree`` counts it. ``rubric``
    says what makes an answer better. Where a line gives no reference, it is the output ``baseline_output`` of a run:
    ``baseline``, or what ``baseline_run`` was found to be, is its folder or ``outputs.jsonl``. Raises UserError.
    """

    def __init__(
        self,
        rubric: str | None = None,
        *,
        baseline: str | Path | None = None,
        baseline_run: str | Path | None = None,
        baseline_output: str = "answer",
        **options: Any,
    ) -> None:
        super().__init__(Criteria("pairwise", _TASK.format(rubric=(rubric or _RUBRIC).strip()), _PLACES), options)
        if baseline is not None and baseline_run is not None:
            raise UserError("A pairwise judge has 'baseline' or 'baseline_run', not both.", hint="Leave out one.")
        place = baseline_run if baseline is None else baseline
        self._baseline = None if place is None else _outputs_file(Path(place))
        self._output = baseline_output

    async def __call__(
        self, *, answer: str, reference: Any = None, question: Any = None, line_number: int | None = None
    ) -> dict[str, Any]:
        """The grade of the answer and who wins. Raises ValueError for a line without a reference, ProviderError."""
        other = reference if reference is not None else self._references.get(line_number)
        require_text(answer=answer, reference=other)
        votes = await together([self._vote(question, answer, other, vote) for vote in range(self.settings.votes)])
        grade = combine([vote.outcome for vote in votes], self.combination)
        favoured = [vote.first_favoured for vote in votes if vote.first_favoured is not None]
        found = {
            self.name: grade.number,
            "winner": _WINNERS.get(grade.number),
            "reason": grade.reason,
            "orders_disagree": fmean(each != 0 for each in favoured) if favoured else math.nan,
            "first_favoured": fmean(favoured) if favoured else math.nan,
        }
        return found | ({"votes": list(grade.votes), "spread": grade.spread} if self.settings.votes > 1 else {})

    def __aggregate__(self, results: Sequence[Mapping[str, Any]]) -> dict[str, float]:
        """The mean grade, and ``position_bias``: the share of votes in which the order decided.

        ``first_favoured`` is by how much more often it then was the first place, from -1 to 1.
        """
        return {
            **super().__aggregate__(results),
            "position_bias": mean_of(results, "orders_disagree"),
            "first_favoured": mean_of(results, "first_favoured"),
        }

    async def _vote(self, question: Any, answer: Any, reference: Any, vote: int) -> _Vote:
        asked = {} if question is None else {"question": question}
        forth, back = await together(
            [
                self._asking.judgement(self.criteria, {**asked, "first": answer, "second": reference}, vote),
                self._asking.judgement(self.criteria, {**asked, "first": reference, "second": answer}, vote),
            ]
        )
        return _vote_of(forth, back)

    @cached_property
    def _references(self) -> Mapping[int | None, Any]:
        """The baseline's outputs by line number; nothing without a baseline. Raises UserError."""
        if self._baseline is None:
            return {}
        with self._baseline.open(encoding="utf-8") as file:
            rows = [json.loads(line) for line in file if line.strip()]
        if rows and not any(self._output in row for row in rows):
            hint = f"Its outputs: {', '.join(name for name in rows[0] if name != 'line_number')}. Say baseline_output."
            raise UserError(f"The baseline has no output {self._output!r}.", hint=hint)
        return {row["line_number"]: row.get(self._output) for row in rows}


def _outputs_file(path: Path) -> Path:
    file = path / "outputs.jsonl" if path.is_dir() else path
    if not file.is_file():
        raise UserError(
            f"'baseline' of a pairwise judge: there is no {file}.", hint="Give the folder of a finished run."
        )
    return file

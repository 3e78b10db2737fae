"""What an evaluator said of one exchange."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from flowyard._util.flat import flat_items
from flowyard._util.numbers import is_finite
from flowyard.records import LineResult

__all__ = ["MOST_ATTEMPTS", "Judgement", "said_by", "scores_of", "without_prompts"]

MOST_ATTEMPTS = 3
"""How often an evaluator that fails on an exchange tries it."""

_WORDS = ("explanation", "reason", "reasoning", "justification")


@dataclass(frozen=True, slots=True)
class Judgement:
    """One exchange by one version of an evaluator.

    ``exchange`` is the id of the exchange, ``at_ms`` when that was, and ``digest`` the version of the evaluator.
    ``line`` is the evaluator's line: its outputs, its error, what it used. ``is_drawn`` says that the exchange was
    drawn by the rate, and not to have enough of its arm: only these may be compared between arms.
    """

    exchange: str
    at_ms: int
    flow: str
    version: str
    request_id: str
    evaluator: str
    digest: str
    judged_at: datetime
    is_drawn: bool
    line: LineResult

    @property
    def is_failed(self) -> bool:
        """Whether the evaluator failed on it, so that nothing is said of the exchange."""
        return self.line.status != "completed"

    @property
    def is_simulated(self) -> bool:
        """Whether a simulated model answered the evaluator."""
        return self.line.usage.simulated_calls > 0

    @property
    def scores(self) -> Mapping[str, float]:
        """The numbers it gave, by name; true is 1 and false 0."""
        return scores_of(self.line.outputs)

    @property
    def explanation(self) -> str | None:
        """Why, in words, where it says so."""
        return said_by(self.line.outputs)


def scores_of(outputs: Mapping[str, Any]) -> dict[str, float]:
    """The numbers among the outputs of an evaluator, those of a mapping as ``output.key``; true is 1 and false 0."""
    return {name: float(value) for name, value in flat_items(outputs) if isinstance(value, bool) or is_finite(value)}


def said_by(outputs: Mapping[str, Any]) -> str | None:
    """The first text among the outputs whose name says that it is the explanation."""
    for name, value in flat_items(outputs):
        if isinstance(value, str) and value and name.lower().endswith(_WORDS):
            return value
    return None


def without_prompts(line: LineResult) -> LineResult:
    """The line without the text of the prompts, which is long and says nothing that is asked for later."""
    return replace(line, nodes=tuple(replace(node, prompts=()) for node in line.nodes))

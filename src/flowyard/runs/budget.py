"""What a run may use at most. Pure: who runs it asks after each line."""

from __future__ import annotations

import math

from flowyard.errors import UserError
from flowyard.records import Usage

__all__ = ["Budget"]


class Budget:
    """Limits of dollars, of tokens and of model calls; None is no limit. Raises UserError for one not above 0."""

    def __init__(
        self, max_cost_usd: float | None = None, max_tokens: int | None = None, max_calls: int | None = None
    ) -> None:
        for option, value in (("--max-cost", max_cost_usd), ("--max-tokens", max_tokens), ("--max-calls", max_calls)):
            if value is not None and not 0 < value < float("inf"):
                raise UserError(f"{option} is a number above 0, not {value}.")
        self.max_cost_usd = max_cost_usd
        self.max_tokens = max_tokens
        self.max_calls = max_calls
        self._spent = Usage()

    def spent(self, usage: Usage) -> None:
        """Count what was used: the usage of a line, or of a run that is taken up again."""
        self._spent += usage

    @property
    def is_limited(self) -> bool:
        """Whether there is any limit."""
        return any(limit is not None for limit in (self.max_cost_usd, self.max_tokens, self.max_calls))

    def lines_left(self, usage: Usage, lines: int) -> float:
        """For how many more lines it lasts if they take what these took; one call each while none was seen."""
        calls, cost = (usage.calls / lines, usage.cost_usd / lines) if lines else (1.0, 0.0)
        used = self._spent
        found = [math.inf]
        if self.max_calls is not None and calls:
            found.append((self.max_calls - used.calls) / calls)
        if self.max_cost_usd is not None and cost:
            found.append((self.max_cost_usd - used.cost_usd) / cost)
        return min(found)

    @property
    def is_over(self) -> bool:
        """Whether no more lines should be taken. Lines under way still end, so a run uses a little more."""
        return self.reason is not None

    @property
    def reason(self) -> str | None:
        """Which limit was reached, as a sentence; None while there is something left."""
        used = self._spent
        if self.max_cost_usd is not None and used.cost_usd >= self.max_cost_usd:
            return f"The budget of ${self.max_cost_usd:,.4g} is used up: ${used.cost_usd:,.4f} spent."
        if self.max_tokens is not None and used.total_tokens >= self.max_tokens:
            return f"The budget of {self.max_tokens:,} tokens is used up: {used.total_tokens:,} spent."
        if self.max_calls is not None and used.calls >= self.max_calls:
            return f"The budget of {self.max_calls:,} model calls is used up: {used.calls:,} made."
        return None

    def notes(self, *, stopped: bool) -> tuple[str, ...]:
        """What a run's record should say: why it was ``stopped``, and what the budget could not count."""
        found = (self.reason if stopped else None, self.warning)
        return tuple(note for note in found if note is not None)

    @property
    def warning(self) -> str | None:
        """What makes a limit of dollars mean less than it seems; None when there is nothing to say."""
        used = self._spent
        if self.max_cost_usd is None or not used.unpriced_calls:
            return None
        hint = "Put prices into prices.yaml, or use --max-tokens."
        if used.unpriced_calls >= used.calls:
            return f"No model call has a known price, so --max-cost stops nothing. {hint}"
        return f"{used.unpriced_calls:,} model calls have no known price, so --max-cost counts without them. {hint}"

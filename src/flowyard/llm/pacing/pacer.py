"""Who may ask one connection, and when: its limits, its pause, its breaker and its retry budget in one place."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from weakref import WeakKeyDictionary

from flowyard.errors import ProviderError
from flowyard.llm.pacing import breaker, retry_budget
from flowyard.llm.pacing.bucket import request_bucket, token_bucket
from flowyard.llm.pacing.fields import (
    ANSWERED,
    OPEN_UNTIL,
    OUTAGE_SINCE,
    PAUSED_UNTIL,
    REFUSALS,
    REQUESTS,
    TOKENS,
    Fields,
)
from flowyard.llm.pacing.limits import RateLimit
from flowyard.llm.pacing.table import PaceTable, Row, open_table
from flowyard.llm.retry import RetryPolicy

__all__ = ["REFUSED", "Pacer", "PacerRules", "Permit", "open_pacer"]

REFUSED = frozenset({429, 503})
"""Statuses by which an endpoint turns a call down for its rate, or because it is overloaded."""

_LONGEST_PAUSE_S = 600.0
_PATIENCE_S, _FIRST_PATIENCE_S = 300.0, 10.0
_LONGEST_ASKED_S = 86_400.0
_REFUSALS_TO_PAUSE = 3
_LONGEST_REFUSED_S = 2.0  # when refusals are a matter of time, everybody pauses
_PATIENT_ATTEMPTS = 300  # some minutes
"""Attempts of a call that is refused while others are answered: those that began later may always be first."""
_ANSWERS_AT_ONCE = 10
_FULL, _ROOM_NAP_S = 0.8, 0.1
_LONGEST_NAP_S = 0.25  # what others give back, or a probe's answer, is seen this soon


@dataclass(frozen=True, slots=True)
class PacerRules:
    """How calls are paced. The clock is monotonic, in seconds, and the same in all processes that share a row."""

    retry: RetryPolicy = RetryPolicy()
    clock: Callable[[], float] = time.monotonic


@dataclass(slots=True)
class Permit:
    """The right to make one call. Whoever has it says how the call went."""

    tokens: float = 0.0
    probe: float = breaker.NO_PROBE


class Pacer:
    """Paces the calls of one connection. Safe to use from several event loops; ``name`` is what errors call it.

    ``open_row`` is called with the first call, because a run that is found to be wrong must not leave a file.
    """

    def __init__(
        self, name: str, open_row: Callable[[], Row], limit: RateLimit, rules: PacerRules | None = None
    ) -> None:
        self.name = name
        self.rules = rules or PacerRules()
        self._open_row = open_row
        self._began = self.rules.clock()
        self._requests, self._tokens = request_bucket(limit), token_bucket(limit)
        self._gates: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()
        self._answers = 0
        self._under_way = 0
        self._room = 0  # how many were under way when a call was refused last
        self._counting = threading.Lock()

    @cached_property
    def _row(self) -> Row:
        return self._open_row()

    @property
    def counts_tokens(self) -> bool:
        """Whether permits need a guess of tokens."""
        return self._tokens is not None

    async def admit(self, tokens: float = 0.0) -> Permit:
        """Wait until a call may be made that will take about so many tokens.

        Raises ProviderError when that would take too long: the endpoint asked for a long pause, or is down.
        """
        permit = self._at_once(tokens)
        while permit is None:
            await self._sit_out_the_pause()
            async with self._gate():  # first come, first served; only one of a loop looks at the clock
                permit = await self._next(tokens)
        self._count(1)
        return permit

    def answered(self, permit: Permit, tokens: float) -> None:
        """The call was answered and took so many tokens."""
        self._count(-1)
        fields = self._row.fields
        self._answers += 1
        calm = fields[ANSWERED] and not (fields[OPEN_UNTIL] or fields[REFUSALS] or fields[OUTAGE_SINCE])
        if calm and self._tokens is None and self._answers < _ANSWERS_AT_ONCE:
            return
        with self._row.locked():
            self._settle(fields, permit, tokens)
            breaker.answered(fields, permit.probe)
            fields[REFUSALS], fields[ANSWERED] = 0.0, 1.0
            retry_budget.earn(fields, self._answers)
            self._answers = 0

    def failed(self, permit: Permit, error: ProviderError, attempt: int) -> float | None:
        """The call failed. Seconds to wait before asking again, or None when that is of no use. Attempts count from 1.

        A refusal that says when to come back pauses the connection for everybody.
        """
        self._count(-1)
        if error.status in REFUSED:
            self._room = self._under_way
        now = self.rules.clock()
        with self._row.locked() as fields:
            if error.status is not None:
                self._settle(fields, permit, 0.0)
            if _is_alive(error):
                breaker.answered(fields, permit.probe)
            elif error.retryable:
                breaker.failed(fields, now, permit.probe)
            else:  # a wrong address or certificate will not get better by waiting
                breaker.abandon(fields, permit.probe)
            if error.status in REFUSED and error.retryable:
                self._pause(fields, now, error, attempt)
            attempts = self.rules.retry.attempts
            if error.status in REFUSED and error.retry_after_s is None and self._answers_others(fields):
                attempts = _PATIENT_ATTEMPTS
        asked_s = error.retry_after_s or 0.0
        if not error.retryable or attempt >= attempts or asked_s > _LONGEST_PAUSE_S:
            return None
        if error.status in REFUSED:
            return self.rules.retry.wait_s(attempt, None, longest_s=_LONGEST_REFUSED_S)
        return max(self.rules.retry.wait_s(attempt, None), asked_s)

    def given_up(self, permit: Permit) -> None:
        """The call ended without saying anything of the endpoint: it was canceled, or could not be sent."""
        self._count(-1)
        if permit.probe != breaker.NO_PROBE:
            with self._row.locked() as fields:
                breaker.abandon(fields, permit.probe)

    async def wait(self, error: ProviderError, wait_s: float) -> None:
        """Wait that long before asking again; a refused call only until clearly fewer are under way than there were."""
        if error.status not in REFUSED or error.retry_after_s is not None:
            await self.rules.retry.sleep(wait_s)
            return
        while wait_s > 0:
            nap_s = min(wait_s, _ROOM_NAP_S * (0.5 + self.rules.retry.chance()))
            await self.rules.retry.sleep(nap_s)
            wait_s = wait_s - nap_s if self._under_way >= _FULL * self._room else 0.0

    async def take_retry(self, error: ProviderError) -> bool:
        """Take one retry from the budget. A refused call waits for it; False for a failed one that cannot be paid."""
        refused = error.status in REFUSED
        while True:
            with self._row.locked() as fields:
                if retry_budget.take(fields, self.rules.clock(), refused=refused):
                    return True
            if not refused:
                return False
            await self.rules.retry.sleep(retry_budget.FREE_EVERY_S * (0.5 + self.rules.retry.chance()))

    def _at_once(self, tokens: float) -> Permit | None:
        """A permit when nothing stands in its way and nobody waits."""
        fields, now = self._row.fields, self.rules.clock()
        if fields[PAUSED_UNTIL] > now or fields[OPEN_UNTIL]:
            return None
        if self._requests is None and self._tokens is None:
            return Permit()
        if self._gate().locked():
            return None
        found = self._try(tokens)
        return found if isinstance(found, Permit) else None

    async def _next(self, tokens: float) -> Permit | None:
        """The permit of the first in the queue; None when a pause began meanwhile."""
        while True:
            found = self._try(tokens)
            if isinstance(found, Permit):
                return found
            if self._row.fields[PAUSED_UNTIL] > self.rules.clock():
                return None
            await self.rules.retry.sleep(min(found, _LONGEST_NAP_S))

    def _try(self, tokens: float) -> Permit | float:
        """A permit, or the seconds until it is worth trying again."""
        with self._row.locked() as fields:
            now = self.rules.clock()
            wait = max(fields[PAUSED_UNTIL] - now, self._wait_s(fields, now, tokens))
            if wait > 0:
                return wait
            wait, probe = breaker.ask(fields, now)
            if wait > 0:
                self._require_hope(fields, now)
                return wait
            if self._requests is not None:
                fields[REQUESTS] = self._requests.taken(fields[REQUESTS], now, 1.0)
            if self._tokens is not None:
                fields[TOKENS] = self._tokens.taken(fields[TOKENS], now, tokens)
            return Permit(tokens, probe)

    def _wait_s(self, fields: Fields, now: float, tokens: float) -> float:
        wait = self._requests.wait_s(fields[REQUESTS], now, 1.0) if self._requests else 0.0
        return max(wait, self._tokens.wait_s(fields[TOKENS], now, tokens) if self._tokens else 0.0)

    async def _sit_out_the_pause(self) -> None:
        """Wait until the pause is over, each for a little longer by chance, so that not all come back at once."""
        while (left := self._row.fields[PAUSED_UNTIL] - self.rules.clock()) > 0:
            if left > _LONGEST_PAUSE_S:
                raise ProviderError(
                    f"The endpoint of connection {self.name!r} asked not to be called for another {left:,.0f} s.",
                    status=429,
                    retry_after_s=left,
                    hint="Run the rest later: what is finished is kept.",
                )
            await self.rules.retry.sleep(left + min(1.0, left / 4) * self.rules.retry.chance())

    def _pause(self, fields: Fields, now: float, error: ProviderError, attempt: int) -> None:
        if error.retry_after_s is not None:
            pause_s = min(error.retry_after_s, _LONGEST_ASKED_S)
        else:
            fields[REFUSALS] += 1
            if self._answers_others(fields) or fields[PAUSED_UNTIL] > now:
                return
            policy = self.rules.retry
            beyond = fields[REFUSALS] - self._bearable_refusals + _REFUSALS_TO_PAUSE  # one call may be refused for long
            pause_s = min(policy.longest_wait_s, policy.first_wait_s * 2.0 ** (min(attempt, beyond) - 1))
        fields[PAUSED_UNTIL] = max(fields[PAUSED_UNTIL], now + pause_s)

    def _answers_others(self, fields: Fields) -> bool:
        """Whether the endpoint is at work, and turns down only what is too much at once: a pause would waste it."""
        return fields[REFUSALS] < self._bearable_refusals

    @property
    def _bearable_refusals(self) -> int:
        return max(_REFUSALS_TO_PAUSE, 2 * self._under_way)

    def _count(self, more: int) -> None:
        with self._counting:
            self._under_way += more

    def _settle(self, fields: Fields, permit: Permit, tokens: float) -> None:
        """Put right what was taken for the call by guess."""
        if self._tokens is not None:
            fields[TOKENS] += (tokens - permit.tokens) / self._tokens.per_s
            permit.tokens = tokens

    def _require_hope(self, fields: Fields, now: float) -> None:
        down_s = now - max(fields[OUTAGE_SINCE], self._began)
        if down_s > (_PATIENCE_S if fields[ANSWERED] else _FIRST_PATIENCE_S):
            raise ProviderError(
                f"The endpoint of connection {self.name!r} has been failing for {down_s:,.0f} s, so it was not called.",
                hint="Run the rest when it is back: what is finished is kept.",
            )

    def _gate(self) -> asyncio.Lock:
        loop = asyncio.get_running_loop()
        gate = self._gates.get(loop)
        if gate is None:
            gate = self._gates[loop] = asyncio.Lock()
        return gate


def _is_alive(error: ProviderError) -> bool:
    """Whether the error is an answer of a working endpoint, one that has no time for us included."""
    if error.status is None or error.status == 408:
        return False
    return error.status < 500 or (error.status == 503 and error.retry_after_s is not None)


def open_pacer(name: str, limit: RateLimit, pace_file: Path | None, rules: PacerRules | None = None) -> Pacer:
    """The pacer of a connection; those with the same file and name share everything. A call may raise UserError."""
    if pace_file is None:
        own = PaceTable(rows=1).row(name)
        return Pacer(name, lambda: own, limit, rules)
    return Pacer(name, lambda: open_table(pace_file).row(name), limit, rules)

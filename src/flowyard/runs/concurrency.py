"""``--concurrency auto``: how many lines run at once, found while the run goes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from flowyard.runs.throughput import ThroughputWindow

__all__ = ["AdaptiveConcurrency"]

_SCALES = 0.6
"""A raise by r is worth going on with when throughput grows by at least r to this power."""
_REFUSED = 0.02
"""The share of lines that may be refused before the limit counts as too high."""
_SERVED = 0.95
"""A server that refuses and works at less than this share of the limit keeps the other lines waiting."""
_LEFT = 0.1
"""The share of lines from before a change that may still be there when the effect of the change is measured."""
_PATIENCE = 6
"""How many windows are waited for lines that wait to try again."""
_ROUGH, _FINE = 0.15, 0.05
"""Errors of a measured throughput that are aimed at, while doubling and later."""
_UP, _UP_CAREFULLY, _DOWN = 0.5, 1 / 16, 0.2
"""How far to try above and below, as shares of the limit."""


class _Step(Enum):
    DOUBLE = "double"  # the limit was doubled
    HOLD = "hold"  # measured where it stands
    PROBE = "probe"  # tried a little above or below


class AdaptiveConcurrency:
    """Finds the limit above which more lines at once bring nothing.

    It doubles until throughput stops growing or calls are refused, goes to the knee that the two last measurements
    give, and from there tries a little more and a little less now and then, ever more rarely while nothing changes.
    Refusals lower the limit to what the server worked at. Of two limits with equal throughput the lower one stays.

    It has no clock and starts nothing: feed ``line_ended`` and read ``limit`` whenever a line could begin. ``number``
    says how often the limit was set, also to what it was.
    """

    def __init__(self, *, lowest: int = 1, start: int = 16, highest: int = 1024) -> None:
        if not 1 <= lowest <= highest:
            raise ValueError(f"lowest {lowest} and highest {highest} are no range")
        self.lowest = lowest
        self.highest = highest
        self.limit = min(max(start, lowest), highest)
        self.number = 0
        self._step = _Step.DOUBLE
        self._base: _Measured | None = None  # what the present window is compared with
        self._window: ThroughputWindow | None = None
        self._caution = _Caution()
        self._turns = _Turns()
        self._patience = 0
        self._busy = 0.0  # lines per second before the present hold
        self._before = self.limit  # the limit before this one
        self._is_cold = True  # nothing was measured yet but what the first lines did

    def line_ended(self, duration_s: float, refused: int, now_s: float, began: int, earlier_left: int) -> None:
        """A line ended: how long it took with all its waiting, how many of its calls were refused (429), and when.

        ``now_s`` is any clock that does not go backwards. ``began`` is the ``number`` that was in force where the line
        ran when it began, and ``earlier_left`` says how many lines still run that began before the present one.
        """
        if self._window is None:
            self._window = ThroughputWindow(self.limit, now_s - duration_s, noise=_ROUGH)
        window = self._window
        window.line_ended(duration_s, refused, now_s, earlier=began < self.number, earlier_left=earlier_left)
        if self._is_refused(window):
            self._after_refusals(window, now_s)
        elif window.is_full:
            self._after(window, now_s)

    def _is_refused(self, window: ThroughputWindow) -> bool:
        """Whether the limit is too high; a few lines are waited for, so that one stray refusal does not say so."""
        if window.refused < 2 or window.lines < window.limit / 2:
            return False
        return window.refused > _REFUSED * max(window.lines, window.limit)

    def _after_refusals(self, window: ThroughputWindow, now_s: float) -> None:
        """Back to where it came from, when it went up; else down to what the server worked at."""
        self._caution.refused()
        self._turns.in_vain(up=True, refused=True)
        if self._step is not _Step.HOLD and self._base is not None and self._base.limit < window.limit:
            target = self._base.limit
        else:
            served = max(math.ceil(window.served_at_once), math.floor(window.limit * (1 - _DOWN)))
            target = min(served, window.limit - 1)
        self._hold(target, now_s)

    def _after(self, window: ThroughputWindow, now_s: float) -> None:
        if self._step is _Step.DOUBLE:
            self._after_doubling(window, now_s)
        elif self._step is _Step.PROBE:
            self._after_probe(window, now_s)
        elif self._caution.known and self._has_waiting(window):
            self._after_waiting(window, now_s)
        elif self._waits_after_refusals(window):
            self._after_refusals(window, now_s)
        else:
            self._after_holding(window, now_s)

    def _waits_after_refusals(self, window: ThroughputWindow) -> bool:
        """Whether the server works at so few lines that others must be waiting to try again."""
        return window.refused > 0 and window.served_at_once < (_SERVED - window.error) * window.limit

    def _has_waiting(self, window: ThroughputWindow) -> bool:
        """Whether lines from before the change still hold places: they were refused and wait to try again."""
        return window.earlier_left > max(1, _LEFT * window.limit)

    def _after_waiting(self, window: ThroughputWindow, now_s: float) -> None:
        """While the server is as busy as ever, the lines that begin keep those out that wait: fewer may begin. When it
        is not, they are only not back yet, and that says nothing about the limit.
        """
        if window.throughput > 0.95 * self._busy:
            self._caution.refused()
            busy = max(self._busy, window.throughput)
            self._hold(max(window.limit - window.earlier_left, math.floor(window.limit * (1 - _DOWN))), now_s)
            self._busy = busy
        elif self._patience > 0:
            self._patience -= 1
            window.measure_again(now_s)
        elif window.served_at_once < (1 - _DOWN) * window.limit:
            self._after_refusals(window, now_s)
        else:
            self._after_holding(window, now_s)

    def _after_doubling(self, window: ThroughputWindow, now_s: float) -> None:
        here, base = _Measured.of(window), self._base
        if base is not None and not _scales(base, here):
            if self._is_cold:  # the first calls open connections; that says nothing about more lines at once
                self._is_cold = False
                window.measure_again(now_s)
                return
            self._turns.look(up=False)
            self._hold(self._knee(base, here), now_s)
        else:
            self._double(here, now_s)

    def _double(self, here: _Measured, now_s: float) -> None:
        twice = min(here.limit * 2, self.highest)
        if here.limit == twice or self._caution.known:
            self._hold(here.limit, now_s)
            return
        self._is_cold = self._is_cold and self._base is None
        self._base = here
        self._measure(_Step.DOUBLE, twice, now_s, noise=_ROUGH)

    def _after_holding(self, window: ThroughputWindow, now_s: float) -> None:
        if window.earlier_refused > _REFUSED * window.limit and self._before > window.limit:
            self._caution.refused()
            window.earlier_refused = 0
        here = _Measured.of(window)
        if self._base is not None and not 0.7 < here.throughput / self._base.throughput < 1.4:
            self._turns.look(up=here.throughput > self._base.throughput)  # the server changed
            self._base = None
        self._base = here = here if self._base is None else self._base.joined(here)
        up = self._turns.next(
            can_raise=here.limit < self.highest, can_lower=here.limit > self.lowest and not self._caution.known
        )
        if up is None:
            window.measure_again(now_s)
            return
        trial = self._caution.above(here.limit) if up else math.floor(here.limit * (1 - _DOWN))
        self._measure(_Step.PROBE, trial, now_s, settle=max(trial, here.limit))

    def _after_probe(self, window: ThroughputWindow, now_s: float) -> None:
        assert self._base is not None
        here, up = _Measured.of(window), window.limit > self._base.limit
        if up and self._waits_after_refusals(window):
            self._after_refusals(window, now_s)
            return
        low, high = (self._base, here) if up else (here, self._base)
        target = self._knee(low, high)
        if up and _scales(low, high):
            self._caution.tried(passed=True)
            self._turns.look(up=True)
            self._double(here, now_s)
            return
        if up and self._caution.known:
            self._caution.tried(passed=False)
            target = low.limit
        if not up and target <= (low.limit + high.limit) / 2:
            self._turns.look(up=False)
        else:
            self._turns.in_vain(up=up, refused=up and self._caution.known)
        self._hold(target, now_s)

    def _knee(self, low: _Measured, high: _Measured) -> int:
        """The limit at which the higher throughput is reached, if throughput is proportional to the limit up to there.

        In doubt it is the higher one: a limit above the knee costs latency, one below it costs throughput. Not where
        calls are refused, which costs more.
        """
        doubt = math.hypot(low.error, high.error) if not self._caution.known else 0.0
        knee = round(low.limit * (1 + doubt) * high.throughput / low.throughput)
        return min(max(knee, low.limit), high.limit)

    def _hold(self, target: int, now_s: float) -> None:
        self._base = None
        self._patience = _PATIENCE
        self._busy = self._window.throughput if self._window else 0.0
        self._measure(_Step.HOLD, target, now_s, settle=max(self.limit, target))

    def _measure(self, step: _Step, limit: int, now_s: float, *, settle: int = 0, noise: float = _FINE) -> None:
        limit = min(max(limit, self.lowest), self.highest)
        if limit != self.limit:
            self._before = self.limit
        self._step, self.limit, self.number = step, limit, self.number + 1
        generations = 2 if self._caution.known else 1  # a few lines more are taken for a gain only when it is sure
        self._window = ThroughputWindow(limit, now_s, noise=noise, settle=settle, generations=generations)


class _Caution:
    """How far above the present limit to try. Where calls are refused, little: what is refused waits long."""

    def __init__(self) -> None:
        self.known = False  # that this server refuses
        self._stride = _UP

    def above(self, limit: int) -> int:
        return max(limit + 1, math.floor(limit * (1 + self._stride)))

    def refused(self) -> None:
        self.known = True
        self._stride = _UP_CAREFULLY

    def tried(self, *, passed: bool) -> None:
        """Whether throughput still grew: then on with longer strides."""
        if self.known:
            self._stride = min(self._stride * 2, _UP / 2) if passed else _UP_CAREFULLY


@dataclass(frozen=True, slots=True)
class _Measured:
    """The lines per second at a limit, with its standard error as a share and the number of windows it comes from."""

    limit: int
    throughput: float
    error: float
    windows: int = 1

    @classmethod
    def of(cls, window: ThroughputWindow) -> _Measured:
        return cls(window.limit, window.throughput, window.error)

    def joined(self, other: _Measured) -> _Measured:
        """Both as one; what is older than four windows fades."""
        windows = min(self.windows + 1, 4)
        throughput = self.throughput + (other.throughput - self.throughput) / windows
        return _Measured(self.limit, throughput, other.error / math.sqrt(windows), windows)


def _scales(low: _Measured, high: _Measured) -> bool:
    """Whether throughput grew nearly as much as the limit did."""
    wanted: float = low.throughput * (high.limit / low.limit) ** _SCALES
    return high.throughput >= wanted


class _Turns:
    """When to probe next, and in which direction: each direction waits twice as long after each probe in vain.

    A probe above costs little, one below costs throughput while it lasts, and one that is refused costs calls.
    """

    _LONGEST_UP, _LONGEST_DOWN, _LONGEST_REFUSED = 4, 32, 16

    def __init__(self) -> None:
        self._waits = {True: 1, False: 2}
        self._left = {True: 1, False: 2}

    def next(self, *, can_raise: bool, can_lower: bool) -> bool | None:
        """After a window: True to probe above, False to probe below, None to stay."""
        able = {True: can_raise, False: can_lower}
        for up in able:
            self._left[up] -= 1
        due = [up for up in able if able[up] and self._left[up] <= 0]
        return min(due, key=self._left.__getitem__, default=None)

    def in_vain(self, *, up: bool, refused: bool = False) -> None:
        self._left[up] = self._waits[up]
        longest = self._LONGEST_REFUSED if refused else self._LONGEST_UP if up else self._LONGEST_DOWN
        self._waits[up] = min(self._waits[up] * 2, longest)

    def look(self, *, up: bool) -> None:
        """Probe in this direction next."""
        self._waits = {True: 1, False: 2}
        self._left = {up: 0, not up: 2}

"""How fast lines end while the limit of lines at once stays the same."""

from __future__ import annotations

import math

__all__ = ["ThroughputWindow"]

_LEAST_S = 0.1
"""No window is shorter, so that the scheduler of the machine does not look like the server."""
_MOST_GENERATIONS = 8


class ThroughputWindow:
    """The lines that ended since the limit was set: their number, time, spread and refusals.

    The window is closed after whole generations (``limit`` lines each), because lines that began together also end
    together: part of a generation would be measured as much too fast or too slow. The first ``settle`` lines after the
    change are passed over, since they still ran under the old limit.
    """

    def __init__(self, limit: int, began_s: float, *, noise: float, settle: int = 0, generations: int = 1) -> None:
        self.limit = limit
        self.earlier_left = 0
        self.earlier_refused = 0
        self._noise = noise
        self._generations = generations
        self._restart(began_s, settle)

    def _restart(self, began_s: float, settle: int) -> None:
        self.refused = 0
        self.elapsed_s = 0.0
        self._began_s = began_s
        self._settle = settle
        self._all, self._clean = _Spread(), _Spread()

    def measure_again(self, now_s: float) -> None:
        """Forget what was measured, but not which lines are still there from before."""
        self._restart(now_s, 0)

    def line_ended(self, duration_s: float, refused: int, now_s: float, *, earlier: bool, earlier_left: int) -> None:
        """Count a line. An ``earlier`` one began before the limit was set, and says nothing about refusals under it;
        ``earlier_left`` of those still run.
        """
        self.earlier_left = earlier_left
        if refused and earlier:
            self.earlier_refused += 1
        elif refused:
            self.refused += 1
        if self._settle > 0:
            self._settle -= 1
            self._began_s = now_s
            return
        self._all.add(duration_s)
        if not refused:
            self._clean.add(duration_s)
        self.elapsed_s = now_s - self._began_s

    @property
    def is_full(self) -> bool:
        """Whether whole generations passed, enough of them for the error that is aimed at, and some time."""
        if self.lines == 0 or self.lines % self.limit or self.elapsed_s < _LEAST_S:
            return False
        if self.lines < self._generations * self.limit:
            return False
        return self.error <= self._noise or self.lines >= _MOST_GENERATIONS * self.limit

    @property
    def lines(self) -> int:
        """How many lines are measured."""
        return self._all.count

    @property
    def throughput(self) -> float:
        """Lines per second: as counted, or by Little's law when that is less.

        Lines that began together end together, and the end of such a wave at the end of the window counts too much.
        Those that were refused are left out of it: most of their time they waited under an earlier limit.
        """
        counted = self.lines / max(self.elapsed_s, 1e-9)
        mean_s = self._clean.mean if self._clean.count else self._all.mean
        return min(counted, self.limit / max(mean_s, 1e-9))

    @property
    def served_at_once(self) -> float:
        """How many lines the server really worked at, by Little's law: lines per second × seconds of a line that was
        never refused. The other lines in flight were waiting to try again. Zero when every line was refused.
        """
        return self.throughput * self._clean.mean

    @property
    def spread(self) -> float:
        """The standard deviation of the durations over their mean."""
        return self._clean.relative_deviation

    @property
    def error(self) -> float:
        """The standard error of the throughput as a share of it."""
        return self.spread / math.sqrt(max(self.lines, 1))


class _Spread:
    """Mean and deviation of numbers that are not kept (Welford)."""

    def __init__(self) -> None:
        self.count = 0
        self.mean = 0.0
        self._squares = 0.0

    def add(self, value: float) -> None:
        self.count += 1
        step = value - self.mean
        self.mean += step / self.count
        self._squares += step * (value - self.mean)

    @property
    def relative_deviation(self) -> float:
        if self.count < 2 or self.mean <= 0:
            return 0.0
        return math.sqrt(self._squares / (self.count - 1)) / self.mean

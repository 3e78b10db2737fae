"""A race: versions run over lines in rounds, and one that cannot win any more is dropped.

Lines are run in a random order that is the same each time. After each round every version is tested against each other
one, on the lines that both have, by betting that its mean over the whole dataset is the smaller one. Such a test may be
looked at as often as one likes, and knows how many lines there are in all: with error ``alpha``, whom it drops would
not have won.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from math import isnan
from typing import Any

from flowyard.decisions.measured import Measured
from flowyard.decisions.model import Metric, Scores
from flowyard.decisions.pareto import main_metric
from flowyard.decisions.policy import DecisionPolicy, Racing
from flowyard.decisions.scores import measure
from flowyard.decisions.versions import find_versions, match_versions
from flowyard.experiments.plan import PlannedRun
from flowyard.records import Comparison, RunRecord
from flowyard.runs.dataset import open_dataset
from flowyard.runs.mapping import numbered_rows
from flowyard.statistics.betting import betting_p_value

__all__ = ["Drop", "Race", "by_dataset", "find_drops"]

_GROWTH = 1.5


@dataclass(frozen=True, slots=True)
class Drop:
    """A version that was dropped after so many lines, because ``beaten_by`` is better with this p-value."""

    version: str
    beaten_by: str
    after_lines: int
    p_value: float


@dataclass(slots=True)
class Race:
    """The race over one dataset. ``defaults``, the baseline and whom a gate names run to the end in any case."""

    planned: Sequence[PlannedRun]
    racing: Racing
    policy: DecisionPolicy
    defaults: str | None
    lines: int = 0
    metric: str | None = None
    drops: list[Drop] = field(default_factory=list)
    records: dict[str, RunRecord] = field(default_factory=dict)
    note: str = ""

    async def go(
        self,
        run: Callable[[PlannedRun, frozenset[int] | None], Awaitable[RunRecord]],
        compare: Callable[[], Comparison],
        is_over: Callable[[], bool],
        begun: Callable[[PlannedRun], int] = lambda _: 0,
    ) -> None:
        """Run the rounds. ``compare`` gives what was run so far, ``is_over`` whether the budget is used up.

        ``begun`` is how many lines a run was to have when the race was interrupted: it is brought there at once, while
        each round still judges by its own lines only, so that the same versions are dropped after the same lines.
        """
        numbers = [row.number for row in numbered_rows(open_dataset(self.planned[0].dataset.source))]
        random.Random(self.policy.seed).shuffle(numbers)
        self.lines = len(numbers)
        running = list(self.planned)
        for end in _rounds(len(numbers), self.racing.min_lines):
            for planned in running:
                if is_over():
                    return
                reach, there = max(end, begun(planned)), self.records.get(planned.label)
                if there is None or there.lines.total < reach:
                    lines = None if reach >= len(numbers) else frozenset(numbers[:reach])
                    self.records[planned.label] = await run(planned, lines)
            if end < len(numbers):
                running = self._still_running(running, compare(), numbers[:end])

    def _still_running(
        self, running: list[PlannedRun], comparison: Comparison, order: Sequence[int]
    ) -> list[PlannedRun]:
        dataset = self.planned[0].dataset.name
        measured = measure(find_versions(comparison), self.policy.metrics)
        metric = self._metric(measured)
        scores = measured.scores_of(metric, dataset) if metric else None
        if metric is None or scores is None:
            return running
        labels = [planned.label for planned in running]
        found = find_drops(scores, labels, order, self.lines, self.racing.alpha, spared=self._kept(labels))
        self.drops += found
        dropped = {drop.version for drop in found}
        return [planned for planned in running if planned.label not in dropped]

    def _metric(self, measured: Measured) -> Metric | None:
        found = measured.metric(self.racing.metric) if self.racing.metric else main_metric(measured.metrics)
        self.metric = found.name if found else self.racing.metric
        if found is None:
            self.note = f"The metric {self.racing.metric!r} was not measured, so nobody was dropped."
        elif found.kind == "total":
            self.note = f"{found.name} is one number for a whole run, so nobody was dropped."
        elif found.low is None or found.high is None:
            hint = f"metrics: {{{found.name}: {{low: 1, high: 5}}}}"
            self.note = f"{found.name} has no bounds, so nobody was dropped. Write {hint}"
        else:
            self.note = ""
        return None if self.note else found

    def _kept(self, labels: Sequence[str]) -> frozenset[str]:
        """Whom the decision needs in full."""
        wanted = [self.policy.baseline, *(gate.against for gate in self.policy.gates)]
        names = [each.label for each in wanted if each is not None and each.label is not None]
        names += [gate.version for gate in self.policy.gates if gate.version]
        kept = {label for name in names for label in match_versions(name, tuple(labels))}
        return frozenset(kept | ({self.defaults} if self.defaults else set()))

    def view(self) -> dict[str, Any]:
        """The race as it is stored: who was dropped when, and what that spared, as JSON has it."""
        spared = [self._spared(drop) for drop in self.drops]
        return {
            "dataset": self.planned[0].dataset.name,
            "metric": self.metric,
            "alpha": self.racing.alpha,
            "lines": self.lines,
            "dropped": [drop.version for drop in self.drops],
            "drops": [{name: getattr(drop, name) for name in Drop.__slots__} for drop in self.drops],
            "spared": {name: round(sum(each[name] for each in spared), 6) for name in ("lines", "calls", "cost_usd")},
            "note": self.note,
        }

    def _spared(self, drop: Drop) -> dict[str, float]:
        """What the lines that were not run would have taken, if they are like those that were; without evaluations."""
        usage = self.records[drop.version].usage
        left, share = self.lines - drop.after_lines, (self.lines - drop.after_lines) / drop.after_lines
        cost = usage.cost_usd + usage.saved_usd
        return {"lines": left, "calls": share * (usage.calls + usage.cached_calls), "cost_usd": share * cost}


def by_dataset(runs: Iterable[PlannedRun]) -> Iterator[list[PlannedRun]]:
    """The planned runs of each dataset."""
    groups: dict[str, list[PlannedRun]] = {}
    for planned in runs:
        groups.setdefault(planned.dataset.name, []).append(planned)
    yield from groups.values()


def find_drops(
    scores: Scores,
    running: Sequence[str],
    order: Sequence[int],
    lines_in_all: int,
    alpha: float,
    *,
    spared: frozenset[str] = frozenset(),
) -> list[Drop]:
    """Who cannot win any more, by the lines so far in the order in which they were drawn.

    The best version is dropped wrongly only if one of the others seems better than it, so that each of its tests gets
    an equal part of ``alpha``.
    """
    metric = scores.metric
    places = {number: place for place, number in enumerate(scores.lines)}
    if metric.low is None or metric.high is None or len(running) < 2:
        return []
    width = metric.high - metric.low
    level = alpha / (len(running) - 1)
    found = []
    for version in running:
        rivals = [each for each in running if each != version and each in scores.values]
        if version in spared or version not in scores.values:
            continue
        tested = [
            (_p_worse(scores, version, rival, order, places, lines_in_all, width, level), rival) for rival in rivals
        ]
        p_value, rival = min(tested, default=(1.0, ""))
        if p_value <= level:
            found.append(Drop(version, rival, len(order), p_value))
    return found


def _p_worse(
    scores: Scores,
    version: str,
    rival: str,
    order: Sequence[int],
    places: dict[int, int],
    lines_in_all: int,
    width: float,
    level: float,
) -> float:
    sign = 1 if scores.metric.higher_is_better else -1
    mine, theirs = scores.values[version], scores.values[rival]
    drawn = [sign * (mine[places[number]] - theirs[places[number]]) for number in order if number in places]
    known = [min(width, max(-width, value)) for value in drawn if not isnan(value)]
    whole = lines_in_all if len(known) == len(order) else None  # lines without a value leave no dataset to draw from
    return betting_p_value(known, 0.0, -width, width, "less", alpha=level, lines_in_all=whole)


def _rounds(lines: int, least: int) -> Iterator[int]:
    """How many lines each round ends with: few more at first, and then half as many again."""
    end = least
    while end < lines:
        yield end
        end = max(end + least, int(end * _GROWTH))
    yield lines

"""Judging exchanges of production, each once by each version of an evaluator, whatever stops it in between.

The lines of the evaluators are ordinary runs, stored line by line as they finish. What a run has becomes judgements
when it ends or, after a kill, when somebody judges the next time; then the run is deleted.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from flowyard._util.lock import try_lock, unlock
from flowyard.errors import Conflict, UserError
from flowyard.production.exchanges.lines import ExchangeFilter, JoinedExchange, iter_exchanges
from flowyard.production.judging.judges import LiveJudge
from flowyard.production.judging.material import judged_outputs
from flowyard.production.judging.model import MOST_ATTEMPTS, Judgement
from flowyard.production.judging.runs import delete_judging, evaluate_exchanges, iter_left_behind, judgements_of_run
from flowyard.production.judging.sampling import Drawn, SamplingRule, sample
from flowyard.production.judging.store import JudgedMark, Spent, add_judgements, judged_marks, mark_drawn, spent_since
from flowyard.production.store.store import ProductionStore
from flowyard.records import NO_USAGE, Usage, sum_usage
from flowyard.runs.budget import Budget
from flowyard.runs.options import RunOptions
from flowyard.runs.run import RunParts
from flowyard.sessions.forked import forked_workers
from flowyard.sessions.kept import KeptSessions

__all__ = ["DayLimits", "Judged", "LiveJudging", "judging_alone", "keeping_sessions"]

_AT_ONCE = 200
"""Exchanges of one run: what is in memory."""
_FIRST = 20
"""Of them in the first run of an evaluator, whose cost nobody knows yet, where a budget is."""
_LOCK = "judging.lock"


@dataclass(frozen=True, slots=True)
class DayLimits:
    """What judging a flow may use in a day of UTC; None is no limit. Raises nothing."""

    calls: int | None = None
    cost_usd: float | None = None


@dataclass(slots=True)
class Judged:
    """What one look came to. ``sampled`` exchanges were drawn; ``new`` judgements were made, of which ``failed``.

    ``taken_over`` were left by a look that was killed. ``unfit`` counts by evaluator what lacks something it reads.
    ``stopped`` says why not all were judged.
    """

    sampled: int = 0
    new: int = 0
    failed: int = 0
    taken_over: int = 0
    calls: int = 0
    cost_usd: float = 0.0
    is_simulated: bool = False
    by_evaluator: dict[str, int] = field(default_factory=dict)
    unfit: dict[str, int] = field(default_factory=dict)
    stopped: str | None = None

    def count(self, judgements: Sequence[Judgement]) -> None:
        """Add what was judged."""
        for each in judgements:
            self.new += 1
            self.failed += each.is_failed
            self.calls += each.line.usage.calls
            self.cost_usd += each.line.usage.cost_usd
            self.is_simulated = self.is_simulated or each.is_simulated
            self.by_evaluator[each.evaluator] = self.by_evaluator.get(each.evaluator, 0) + 1


@asynccontextmanager
async def keeping_sessions(judging: LiveJudging) -> AsyncIterator[LiveJudging]:
    """The same, with workers that go on from one evaluator to the next."""
    with forked_workers():
        kept = KeptSessions(judging.parts.open_session)
        try:
            yield replace(judging, parts=replace(judging.parts, open_session=kept))
        finally:
            await kept.close()


@contextmanager
def judging_alone(home: Path) -> Iterator[None]:
    """One process of this machine judges at a time. Raises Conflict."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / _LOCK).open("a+b") as file:
        if not try_lock(file):
            raise Conflict("Production is being judged already.", hint="Wait for the other command, or stop it.")
        try:
            yield
        finally:
            unlock(file)


@dataclass(frozen=True, slots=True)
class LiveJudging:
    """What is judged, by whom, and with what. ``flow_file`` is the flow that records of runs name."""

    store: ProductionStore
    wanted: ExchangeFilter
    judges: Sequence[LiveJudge]
    flow_file: Path
    parts: RunParts
    options: RunOptions = RunOptions()
    limits: DayLimits = DayLimits()
    retry_failed: bool = False

    def take_over(self) -> int:
        """Make judgements of what a killed look had judged; returns how many. Others may not judge meanwhile."""
        taken = 0
        for run in iter_left_behind(self.parts.store):
            taken += add_judgements(self.store, judgements_of_run(run))
            delete_judging(run, self.parts.store)
        return taken

    def draw(self, rule: SamplingRule) -> list[Drawn]:
        """The exchanges that matter by now: not judged by all evaluators that they fit."""
        marks = self._marks()

        def is_wanted(each: JoinedExchange) -> bool:
            if judged_outputs(each) is None:
                return False
            return any(self._is_left(each, judge, marks) or self._is_extra(each, judge, marks) for judge in self.judges)

        return sample(iter_exchanges(self.store, self.wanted), self.wanted.flow, rule, is_wanted)

    async def judge(self, drawn: Sequence[Drawn], judged: Judged) -> None:
        """Judge a sample by each evaluator, until the budget is used up; what was judged before is left out.

        Raises UserError when nothing fits any evaluator, or a connection is missing.
        """
        judged.sampled = len(drawn)
        marks = self._marks()
        mark_drawn(
            self.store, [each.each.exchange.id for each in drawn if each.is_drawn and self._was_extra(each, marks)]
        )
        parts = self._within_the_day(judged)
        is_all = True
        for judge in self.judges:
            fitting = [each for each in drawn if judge.fits(each.each)]
            judged.unfit[judge.name] = len(drawn) - len(fitting)
            left = [each for each in fitting if self._is_left(each.each, judge, marks)]
            if parts is not None:
                is_all = await self._judge_all(judge, left, parts, judged) and is_all
        if parts is not None and not is_all:
            judged.stopped = parts.budget.reason
        self._require_fitting(drawn, judged)

    async def _judge_all(self, judge: LiveJudge, left: Sequence[Drawn], parts: RunParts, judged: Judged) -> bool:
        """By portions, each no larger than the budget lasts: lines that have begun are not called back.

        Gives whether it lasted for all.
        """
        done, usage = 0, NO_USAGE
        while done < len(left) and not parts.budget.is_over:
            most = _AT_ONCE if done or not parts.budget.is_limited else _FIRST
            size = max(1, int(min(most, parts.budget.lines_left(usage, done))))
            usage += await self._judge_some(judge, left[done : done + size], parts, judged)
            done += size
        return done >= len(left)

    async def _judge_some(self, judge: LiveJudge, some: Sequence[Drawn], parts: RunParts, judged: Judged) -> Usage:
        run = await evaluate_exchanges(judge, some, self.wanted.flow, self.flow_file, parts, self.options)
        made = judgements_of_run(run)
        add_judgements(self.store, made)
        judged.count(made)
        delete_judging(run, parts.store)
        return sum_usage(each.line.usage for each in made)

    def _marks(self) -> Mapping[tuple[str, str], dict[str, JudgedMark]]:
        return judged_marks(self.store, self.wanted.flow, self.wanted.window)

    def _is_left(
        self, each: JoinedExchange, judge: LiveJudge, marks: Mapping[tuple[str, str], dict[str, JudgedMark]]
    ) -> bool:
        """Whether this evaluator has yet to judge it, or to try again."""
        mark = marks.get((judge.name, judge.digest), {}).get(each.exchange.id)
        if mark is None:
            return judge.fits(each)
        return mark.is_failed and (self.retry_failed or mark.attempts < MOST_ATTEMPTS)

    def _is_extra(
        self, each: JoinedExchange, judge: LiveJudge, marks: Mapping[tuple[str, str], dict[str, JudgedMark]]
    ) -> bool:
        mark = marks.get((judge.name, judge.digest), {}).get(each.exchange.id)
        return mark is not None and not mark.is_drawn

    def _was_extra(self, drawn: Drawn, marks: Mapping[tuple[str, str], dict[str, JudgedMark]]) -> bool:
        return any(self._is_extra(drawn.each, judge, marks) for judge in self.judges)

    def _within_the_day(self, judged: Judged) -> RunParts | None:
        """The parts with what is left of the day's budget; None, with the reason, when nothing is."""
        limits, budget = self.limits, self.parts.budget
        if limits.calls is None and limits.cost_usd is None:
            return self.parts
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        used = spent_since(self.store, self.wanted.flow, midnight)
        calls = None if limits.calls is None else limits.calls - used.calls
        cost = None if limits.cost_usd is None else limits.cost_usd - used.cost_usd
        if any(left is not None and left <= 0 for left in (calls, cost)):
            judged.stopped = _used_up(used)
            return None
        costs = [each for each in (budget.max_cost_usd, cost) if each is not None]
        return replace(self.parts, budget=Budget(min(costs, default=None), budget.max_tokens, calls))

    def _require_fitting(self, drawn: Sequence[Drawn], judged: Judged) -> None:
        """Raises UserError when no evaluator found what it reads in any exchange."""
        answered = sum(judged_outputs(each.each) is not None for each in drawn)
        if answered and all(count == len(drawn) for count in judged.unfit.values()):
            reads = "; ".join(f"{judge.name} reads {judge.reads}" for judge in self.judges)
            hint = (
                "Production knows the flow's inputs, ${run.outputs.…} and, where people said so, ${data.label}, "
                "${data.feedback}, ${data.score} and ${data.comment}. Map these in an overlay for --env."
            )
            raise UserError(f"No answer has what the evaluators read: {reads}.", hint=hint)


def _used_up(used: Spent) -> str:
    return f"The day's budget for judging is used up: {used.calls:,} model calls, ${used.cost_usd:,.4f}."

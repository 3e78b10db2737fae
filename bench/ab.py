"""``python -m bench.ab``: how often the decisions of A/B tests are wrong and what they see, beside reference values."""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Sequence

import numpy

from bench.ab_numbers import NUMBERS, SCORE_NULLS, SCORE_POWER, number_looks, score_looks
from bench.ab_rollbacks import equal_arms_rolled_back
from bench.ab_simulation import Case, Counts, decided, exact_log_e, sample_ratio_log_e, simulate, warm_means
from bench.timing import say
from flowyard.statistics.one_sided import ShareSlice, iter_above_limit_log_e_values

__all__ = ["EXACT_POWER", "NULLS", "SAMPLE_RATIO", "false_rollbacks", "rollback_delays", "simpson"]

ALPHA, RATIO_ALPHA, GUARDRAIL_ALPHA = 0.05, 0.001, 0.01

NULLS: Sequence[tuple[Case, str, str]] = (
    (Case(0.7, 0.7, 0.5), "3.2%", "2.0%"),
    (Case(0.7, 0.7, 0.1), "3.2%", "2.6%"),
    (Case(0.05, 0.05, 0.5), "", ""),
    (Case(0.05, 0.05, 0.1), "2.8%", "0.8%"),
)
"""Nothing to find, with the reference's false decisions by the exact test and by means (500 experiments each)."""

EXACT_POWER: Sequence[tuple[Case, float, float]] = (
    (Case(0.7, 0.75, 0.1), 0.89, 0.98),
    (Case(0.7, 0.65, 0.1), 0.80, 0.95),
    (Case(0.05, 0.07, 0.1), 0.69, 0.69),
    (Case(0.7, 0.75, 0.5), 1.00, 1.00),
)
"""Something to find, with the reference's share of experiments that find it, by the exact test and by means."""

SAMPLE_RATIO: Sequence[tuple[Case, float]] = (
    (Case(0.7, 0.7, 0.1), 0.0),
    (Case(0.7, 0.7, 0.1, assigned=0.11), 0.67),
)
"""The right split and a wrong one, with the reference's share of alarms."""


def simpson(experiments: int, seed: int) -> tuple[float, float]:
    """Equal arms whose rate falls from 70 % to 40 % when the split changes from 10 % to 50 %: false decisions.

    By epochs, and by one that takes everything as one epoch with the split of the whole.
    """
    before = simulate(Case(0.7, 0.7, 0.1, 5_000, 50), experiments, seed)
    after = simulate(Case(0.4, 0.4, 0.5, 5_000, 50), experiments, seed + 1)
    late = [_last(before), after]
    by_epochs = exact_log_e(late)
    pooled = Counts(
        0.3,
        *(
            getattr(late[0], name) + getattr(after, name)
            for name in ("control", "treatment", "control_successes", "treatment_successes")
        ),
    )
    return _rate(decided(by_epochs, ALPHA)), _rate(decided(exact_log_e([pooled]), ALPHA))


def _last(counts: Counts) -> Counts:
    """What an epoch that is over gives at each look of the next."""
    return Counts(
        counts.share,
        *(
            numpy.repeat(part[:, -1:], part.shape[1], axis=1)
            for part in (counts.control, counts.treatment, counts.control_successes, counts.treatment_successes)
        ),
    )


def false_rollbacks(experiments: int, seed: int, slices: int = 50, each: int = 200, rate: float = 0.02) -> float:
    """Equal arms at the very limit, guardrails for errors both ways, a look after every slice: share rolled back."""
    counts = numpy.random.default_rng(seed).binomial(
        each // 2, rate, (experiments, slices, 2)
    )  # at 50 : 50, control and treatment
    wrong = sum(_first_alarm(rows.tolist(), each // 2, rate) is not None for rows in counts)
    return wrong / experiments


def rollback_delays(experiments: int, seed: int, quiet: int = 50, each: int = 100, rate: float = 0.2) -> list[int]:
    """A canary that begins to fail after ``quiet`` good slices: after how many more each experiment rolls back."""
    generator = numpy.random.default_rng(seed)
    good, bad = generator.binomial(each, 0.01, (experiments, quiet)), generator.binomial(each, rate, (experiments, 10))
    found = []
    for row in numpy.concatenate([good, bad], axis=1).tolist():
        alarm = _first_alarm([(0, failed) for failed in row], each, 0.05, absolute_only=True)
        found.append(10_000 if alarm is None else alarm - quiet + 1)
    return found


def _first_alarm(rows: Sequence[Sequence[int]], each: int, limit: float, *, absolute_only: bool = False) -> int | None:
    """The slice after which one of the guardrails fires."""
    absolute = iter_above_limit_log_e_values(ShareSlice(failed, each - failed, limit) for _, failed in rows)
    relative = iter_above_limit_log_e_values(ShareSlice(failed, other, 0.5) for other, failed in rows)
    tests = 1 if absolute_only else 2
    least = float(numpy.log(tests / GUARDRAIL_ALPHA))
    for number, (first, second) in enumerate(zip(absolute, relative, strict=True)):
        if first >= least or (second >= least and not absolute_only):
            return number
    return None


def _rate(looks: numpy.ndarray) -> float:
    return float((looks >= 0).mean())


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.ab", description=__doc__)
    parser.add_argument("--experiments", type=int, default=1_000, help="for each line (default 1,000)")
    parser.add_argument("--seed", type=int, default=random.Random(7).randrange(1_000))
    options = parser.parse_args()
    for table in (_nulls, _power, _scores, _numbers, _sample_ratio, _others):
        table(options.experiments, options.seed)
    return 0


def _nulls(experiments: int, seed: int) -> None:
    say(f"False decisions at {ALPHA:.0%}, {experiments:,} experiments of 20,000 requests with 200 looks")
    say(f"{'':<28}{'exact':>8}{'reference':>11}{'means':>8}{'reference':>11}")
    for case, exact, means in NULLS:
        counts = simulate(case, experiments, seed)
        found = _rate(decided(exact_log_e([counts]), ALPHA)), _rate(warm_means(counts, ALPHA))
        say(f"{case.label:<28}{found[0]:>8.1%}{exact:>11}{found[1]:>8.1%}{means:>11}")


def _power(experiments: int, seed: int) -> None:
    say("\nDifferences found within 20,000 requests, and the median of requests of those that were")
    say(f"{'':<28}{'exact':>8}{'reference':>11}{'median':>9}{'means':>8}{'reference':>11}{'median':>9}")
    for case, exact, means in EXACT_POWER:
        counts = simulate(case, experiments, seed)
        looks = decided(exact_log_e([counts]), ALPHA), warm_means(counts, ALPHA)
        cells = [(_rate(each), _median(each, case.requests // case.looks)) for each in looks]
        say(
            f"{case.label:<28}{cells[0][0]:>8.0%}{exact:>11.0%}{cells[0][1]:>9,}"
            f"{cells[1][0]:>8.0%}{means:>11.0%}{cells[1][1]:>9,}"
        )


def _scores(experiments: int, seed: int) -> None:
    for title, cases in (("Scores: false decisions", SCORE_NULLS), ("Scores: differences found", SCORE_POWER)):
        say(f"\n{title:<36}{'bets':>8}{'median':>9}{'means':>8}{'median':>9}")
        for case in cases:
            looks = score_looks(case, experiments, seed, ALPHA)
            cells = [f"{_rate(each):>8.1%}{_median(each, case.requests // case.looks):>9,}" for each in looks]
            say(f"{case.label:<36}{''.join(cells)}")


def _numbers(experiments: int, seed: int) -> None:
    say(f"\n{'Numbers: false decisions':<36}{'means':>8}")
    for case in NUMBERS:
        say(f"{case.label:<36}{_rate(number_looks(case, experiments, seed, ALPHA)):>8.1%}")


def _sample_ratio(experiments: int, seed: int) -> None:
    say(f"\nAlarms of the sample ratio at {RATIO_ALPHA}")
    for case, wanted in SAMPLE_RATIO:
        counts = simulate(case, experiments, seed)
        label = f"{1 - (case.assigned or case.share):.0%} : {case.assigned or case.share:.0%} for {1 - case.share:.0%}"
        say(f"{label:<28}{_rate(decided(sample_ratio_log_e(counts), RATIO_ALPHA)):>8.1%}{wanted:>11.1%}")


def _others(experiments: int, seed: int) -> None:
    by_epochs, pooled = simpson(experiments, seed)
    say(f"\nA split that changes with the rate: {by_epochs:.1%} false by epochs, {pooled:.1%} as one")
    say(f"False rollbacks by guardrails of equal arms at the limit, at 1 %: {false_rollbacks(experiments, seed):.2%}")
    share = equal_arms_rolled_back(experiments, seed)
    say(f"Equal arms rolled back by all kinds of guardrails together, through the whole decision: {share:.2%}")
    delays = rollback_delays(experiments, seed)
    soon = sum(delay <= 2 for delay in delays) / len(delays)
    say(f"A canary that begins to fail 20 % (100 requests an interval): within 2 intervals {soon:.1%}")


def _median(looks: numpy.ndarray, requests: int) -> int:
    """Of the requests of those that ended, with so many between two looks."""
    ended = looks[looks >= 0]
    return int(numpy.median(ended) + 1) * requests if len(ended) else 0


if __name__ == "__main__":
    sys.exit(main())

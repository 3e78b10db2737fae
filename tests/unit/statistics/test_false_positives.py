"""How often each method is wrong when there is nothing to find: 10,000 seeded experiments, of slow ones fewer.

A promise of alpha is held when at most alpha * 10,000 experiments are wrong, plus four standard deviations of that
binomial number (5 %: 0.87 points; 0.1 %: 0.13 points), which a method that keeps its promise exceeds once in 30,000
seeds. The seeds are fixed, so that the rates, which are printed after the tests, are the same each time.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy
import pytest

from flowyard.statistics.betting import BettingTest, betting_interval
from flowyard.statistics.bootstrap import cluster_interval, mean_interval
from flowyard.statistics.corrections import benjamini_hochberg, holm
from flowyard.statistics.group_sequential import group_sequential_bounds
from flowyard.statistics.judge_error import judged_mean, judged_mean_of_clusters, judged_share
from flowyard.statistics.mcnemar import mcnemar_exact, mcnemar_mid_p
from flowyard.statistics.noninferiority import scores_not_worse, shares_not_worse
from flowyard.statistics.paired import paired_t, sign_flip
from flowyard.statistics.percentiles import percentile_difference_interval, percentile_interval
from flowyard.statistics.proportions import newcombe_paired_interval, tango_interval
from flowyard.statistics.sequential import SplitEpoch, multinomial_log_e_value, normal_mixture, rates_log_e_value

EXPERIMENTS = 10_000
FOR_STREAMS = EXPERIMENTS // 4
"""Of tests that are looked at after every event: each experiment is many tests."""

Held = Callable[..., None]


@pytest.fixture
def held(record_property) -> Held:
    """Holds wrong answers against the promise, and hands the rate to the table."""

    def check(method: str, case: str, wrong: float, alpha: float = 0.05, experiments: int = EXPERIMENTS) -> None:
        rate = wrong / experiments
        record_property("measured rates", [method, case, f"{alpha:.2%}", f"{rate:.2%}"])
        assert rate <= alpha + 4 * math.sqrt(alpha * (1 - alpha) / experiments)

    return check


def discordant(lines: int, share: float, seed: int, shift: float = 0.0) -> list[tuple[int, int]]:
    """(only first, only second) of each experiment; ``shift`` is the true difference."""
    chances = ((share + shift) / 2, (share - shift) / 2, 1 - share)
    counts = numpy.random.default_rng(seed).multinomial(lines, chances, size=EXPERIMENTS)
    return [(int(first), int(second)) for first, second, _ in counts]


@pytest.mark.parametrize("lines", [20, 50, 200])
@pytest.mark.parametrize("test", [mcnemar_mid_p, mcnemar_exact])
def test_mcnemar(held: Held, test: Callable[[int, int], float], lines: int):
    p_value = functools.cache(test)
    wrong = sum(p_value(*counts) <= 0.05 for counts in discordant(lines, 0.2, seed=lines))
    held(test.__name__, f"{lines} lines, 20 % discordant", wrong)


@pytest.mark.parametrize("lines", [20, 50, 200])
def test_paired_intervals_of_shares(held: Held, lines: int):
    true = 0.1

    @functools.cache
    def missed(first: int, second: int) -> tuple[bool, bool]:
        rest = lines - first - second
        newcombe = newcombe_paired_interval(rest * 0.7, first, second, rest * 0.3)
        tango = tango_interval(first, second, lines)
        return not newcombe.low <= true <= newcombe.high, not tango.low <= true <= tango.high

    found = [missed(*counts) for counts in discordant(lines, 0.3, seed=lines, shift=true)]
    held("newcombe_paired_interval", f"{lines} lines, difference 0.1", sum(newcombe for newcombe, _ in found))
    held("tango_interval", f"{lines} lines, difference 0.1", sum(tango for _, tango in found))


def test_sign_flip_exact_and_sampled(held: Held):
    few = numpy.random.default_rng(1).exponential(size=(EXPERIMENTS, 10))
    few *= numpy.random.default_rng(2).choice((-1, 1), size=few.shape)
    held("sign_flip", "10 lines, exact", sum(sign_flip(values) <= 0.05 for values in few))
    many = numpy.random.default_rng(3).standard_normal((EXPERIMENTS, 30))
    wrong = sum(sign_flip(values, resamples=199, seed=seed) <= 0.05 for seed, values in enumerate(many))
    held("sign_flip", "30 lines, 199 resamples", wrong)


@pytest.mark.parametrize("lines", [20, 100])
def test_paired_t(held: Held, lines: int):
    values = numpy.random.default_rng(lines).integers(-2, 3, size=(EXPERIMENTS // 4, lines))
    wrong = sum(paired_t(row).p_value <= 0.05 for row in values.tolist())
    held("paired_t", f"{lines} lines, grades", wrong, experiments=EXPERIMENTS // 4)


def test_bca_of_differences(held: Held):
    """Symmetric around 0, as differences of two equal versions are."""
    chances = (0.05, 0.15, 0.6, 0.15, 0.05)
    grades = numpy.random.default_rng(5).choice((-2.0, -1.0, 0.0, 1.0, 2.0), p=chances, size=(EXPERIMENTS, 60))
    intervals = [mean_interval(row, resamples=400, seed=seed) for seed, row in enumerate(grades)]
    wrong = sum(not low <= 0 <= high for low, high in intervals)
    held("mean_interval (BCa)", "60 lines, grades, 400 resamples", wrong)
    experiments = EXPERIMENTS // 20
    scores = numpy.random.default_rng(5).standard_normal((experiments, 40))
    intervals = [mean_interval(row, resamples=1000, seed=seed) for seed, row in enumerate(scores)]
    wrong = sum(not low <= 0 <= high for low, high in intervals)
    held("mean_interval (BCa)", "40 lines, normal, 1000 resamples", wrong, experiments=experiments)


def test_cluster_bootstrap_where_the_plain_one_fails(held: Held, record_property):
    experiments, clusters, each = 500, 60, 4
    generator = numpy.random.default_rng(6)
    values = generator.standard_normal((experiments, clusters, 1)) + 0.5 * generator.standard_normal(
        (experiments, clusters, each)
    )
    rows, owners = values.reshape(experiments, -1), [line // each for line in range(clusters * each)]
    by_cluster = [cluster_interval(row, owners, resamples=500, seed=seed) for seed, row in enumerate(rows)]
    by_line = [mean_interval(row, resamples=500, seed=seed) for seed, row in enumerate(rows)]
    wrong, naive = (sum(not low <= 0 <= high for low, high in found) for found in (by_cluster, by_line))
    held("cluster_interval", "60 conversations of 4 lines", wrong, experiments=experiments)
    record_property(
        "measured rates", ["mean_interval (BCa)", "the same, clusters ignored", "5.00%", f"{naive / experiments:.2%}"]
    )
    assert naive > 4 * wrong


def test_holm_and_benjamini_hochberg_with_a_shared_baseline(held: Held):
    """Four variants against one baseline: the tests depend on each other."""
    generator = numpy.random.default_rng(7)
    right = generator.random((EXPERIMENTS, 5, 60)) < 0.7
    first = (right[:, 1:] & ~right[:, :1]).sum(axis=2)
    second = (~right[:, 1:] & right[:, :1]).sum(axis=2)
    p_value = functools.cache(mcnemar_mid_p)
    families = [
        [p_value(*pair) for pair in zip(*rows, strict=True)]
        for rows in zip(first.tolist(), second.tolist(), strict=True)
    ]
    held("holm", "4 variants, any false win", sum(min(holm(family)) <= 0.05 for family in families))
    wrong = sum(min(benjamini_hochberg(family)) <= 0.05 for family in families)
    held("benjamini_hochberg", "4 variants, all equal", wrong)


def test_not_worse_at_its_margin(held: Held):
    """The version is worse by exactly the margin: to call it not worse is the error."""
    shown = functools.cache(lambda first, second: shares_not_worse(first, second, 200, 0.05).shown)
    wrong = sum(shown(*counts) for counts in discordant(200, 0.2, seed=8, shift=-0.05))
    held("shares_not_worse", "200 lines, worse by the margin", wrong)
    values = numpy.random.default_rng(9).normal(-0.2, 1, size=(EXPERIMENTS // 4, 50)).tolist()
    wrong = sum(scores_not_worse(row, 0.2).shown for row in values)
    held("scores_not_worse", "50 lines, worse by the margin", wrong, experiments=EXPERIMENTS // 4)


@pytest.mark.parametrize(("rate", "share"), [(0.7, 0.5), (0.05, 0.1)])
def test_exact_e_value_looked_at_twenty_times(held: Held, rate: float, share: float):
    generator = numpy.random.default_rng(10)
    step = 500
    chances = [rate * (1 - share), rate * share, (1 - rate) * (1 - share), (1 - rate) * share]
    counts = generator.multinomial(step, chances, size=(FOR_STREAMS, 20)).cumsum(axis=1)
    bar = math.log(20)
    wrong = sum(
        any(rates_log_e_value([SplitEpoch(share, *look)]) >= bar for look in experiment)
        for experiment in counts.tolist()
    )
    held("rates_log_e_value", f"{rate:.0%} = {rate:.0%}, {share:.0%} to B, 20 looks", wrong, experiments=FOR_STREAMS)


def test_sequential_sample_ratio(held: Held):
    counts = numpy.random.default_rng(11).multinomial(500, (0.9, 0.1), size=(FOR_STREAMS, 20)).cumsum(axis=1)
    bar = math.log(1000)
    wrong = sum(
        any(multinomial_log_e_value(look, (0.9, 0.1)) >= bar for look in experiment) for experiment in counts.tolist()
    )
    held("multinomial_log_e_value", "90 : 10, 20 looks", wrong, 0.001, FOR_STREAMS)


def test_normal_mixture_looked_at_every_fifty(held: Held):
    steps = numpy.random.default_rng(12).standard_normal((EXPERIMENTS, 40)) * math.sqrt(50)
    sizes = numpy.arange(50, 2001, 50)
    means = steps.cumsum(axis=1) / sizes
    half_widths = [normal_mixture(0.0, 1 / math.sqrt(size), size, tuned_for=1000).half_width for size in sizes.tolist()]
    held("normal_mixture", "40 looks, normal", int((abs(means) > numpy.array(half_widths)).any(axis=1).sum()))


@pytest.mark.parametrize("lines_in_all", [None, 50])
def test_betting_looked_at_after_each_line(held: Held, lines_in_all: int | None):
    generator = numpy.random.default_rng(13)
    if lines_in_all is None:
        values = generator.choice((-1.0, 0.0, 1.0), p=(0.15, 0.7, 0.15), size=(FOR_STREAMS, 50))
    else:
        dataset = numpy.array([-1.0] * 8 + [0.0] * 34 + [1.0] * 8)
        values = generator.permuted(numpy.tile(dataset, (FOR_STREAMS, 1)), axis=1)
    wrong = 0
    for row in values.tolist():
        test = BettingTest(0.0, -1.0, 1.0, "less", lines_in_all=lines_in_all)
        for value in row:
            test.add(value)
        wrong += test.p_value <= 0.05
    case = "50 looks, " + ("endless lines" if lines_in_all is None else "all 50 lines of a dataset")
    held("BettingTest", case, wrong, experiments=FOR_STREAMS)


def test_betting_interval(held: Held):
    values = numpy.random.default_rng(14).choice((-1.0, 0.0, 1.0), p=(0.1, 0.7, 0.2), size=(100, 60)).tolist()
    intervals = [betting_interval(row, -1, 1) for row in values]
    wrong = sum(not low <= 0.1 <= high for low, high in intervals)
    held("betting_interval", "60 lines", wrong, experiments=100)


def test_group_sequential(held: Held):
    sums = numpy.random.default_rng(15).standard_normal((EXPERIMENTS, 5)).cumsum(axis=1)
    z = abs(sums) / numpy.sqrt(numpy.arange(1, 6))
    wrong = int((z > numpy.array(group_sequential_bounds(5))).any(axis=1).sum())
    held("group_sequential_bounds", "O'Brien-Fleming, 5 looks", wrong)


@pytest.mark.parametrize(
    ("share", "finds_right", "finds_wrong", "labelled"),
    [(0.8, 0.9, 0.8, 30), (0.5, 0.7, 0.6, 50), (0.95, 0.9, 0.9, 40), (0.8, 0.95, 0.95, 20)],
)
def test_a_judges_error_is_in_the_interval(
    held: Held, record_property, share: float, finds_right: float, finds_wrong: float, labelled: int
):
    experiments, lines = EXPERIMENTS // 4, 200
    generator = numpy.random.default_rng(labelled)
    right = generator.random((experiments, lines)) < share
    passed = generator.random((experiments, lines)) < numpy.where(right, finds_right, 1 - finds_wrong)
    wrong = 0
    for verdicts, truth in zip(passed.tolist(), right.tolist(), strict=True):
        labels = [*truth[:labelled], *[None] * (lines - labelled)]
        low, high = judged_share(verdicts, labels).interval
        wrong += not low <= share <= high
    case = f"true {share:.0%}, judge {finds_right:.0%} / {finds_wrong:.0%}, {labelled} of 200 labelled"
    held("judged_share", case, wrong, experiments=experiments)


def test_a_judges_error_in_scores(held: Held):
    """A judge that is too kind by 0.3: its own mean is wrong always, the corrected one as rarely as promised."""
    experiments, lines, labelled = EXPERIMENTS // 4, 150, 30
    generator = numpy.random.default_rng(17)
    truth = generator.normal(size=(experiments, lines))
    judged = truth + 0.3 + 0.5 * generator.normal(size=truth.shape)
    wrong = narrower = 0
    for verdicts, true in zip(judged.tolist(), truth.tolist(), strict=True):
        labels = [*true[:labelled], *[None] * (lines - labelled)]
        low, high = judged_mean(verdicts, labels).interval
        alone = paired_t(true[:labelled]).interval
        wrong += not low <= 0 <= high
        narrower += high - low < alone.high - alone.low
    held("judged_mean", "judge + 0.3, 30 of 150 labelled", wrong, experiments=experiments)
    assert narrower > 0.95 * experiments


def test_a_judges_error_where_lines_belong_together(held: Held):
    """Turns of one conversation share most of what they are; taken as independent, intervals are far too narrow."""
    experiments, clusters, turns, labelled = EXPERIMENTS // 10, 60, 5, 25
    generator = numpy.random.default_rng(23)
    shape = (experiments, clusters, turns)
    shared, doubt = generator.normal(size=shape[:2]), generator.normal(size=shape[:2])
    truth = (shared[..., None] + 0.3 * generator.normal(size=shape)).reshape(experiments, -1)
    kind = (0.3 + 0.5 * doubt[..., None] + 0.1 * generator.normal(size=shape)).reshape(experiments, -1)
    names = [cluster for cluster in range(clusters) for _ in range(turns)]
    wrong = naive = 0
    for verdicts, true in zip((truth + kind).tolist(), truth.tolist(), strict=True):
        labels = [*true[: labelled * turns], *[None] * ((clusters - labelled) * turns)]
        low, high = judged_mean_of_clusters(verdicts, labels, names).interval
        wrong += not low <= 0 <= high
        low, high = judged_mean(verdicts, labels).interval
        naive += not low <= 0 <= high
    held("judged_mean_of_clusters", "25 of 60 conversations labelled", wrong, experiments=experiments)
    assert naive > 0.25 * experiments


def test_percentiles(held: Held):
    latencies = numpy.random.default_rng(18).lognormal(size=(EXPERIMENTS // 4, 100))
    true = math.exp(1.2815515655446004)
    intervals = [percentile_interval(row, 90) for row in latencies.tolist()]
    wrong = sum(not low <= true <= high for low, high in intervals)
    held("percentile_interval", "90th of 100 latencies", wrong, experiments=len(intervals))


def test_difference_of_percentiles(held: Held):
    experiments = 500
    first, second = numpy.random.default_rng(19).lognormal(size=(2, experiments, 100))
    intervals = [percentile_difference_interval(x, y, 90, resamples=200) for x, y in zip(first, second, strict=True)]
    wrong = sum(not low <= 0 <= high for low, high in intervals)
    held("percentile_difference_interval", "90th of 100 latencies", wrong, experiments=experiments)

"""No lines, one line, all equal, nothing discordant, nonsense: each says what its docstring promises."""

from __future__ import annotations

import itertools
import math
import random
import subprocess
import sys

import pytest

from flowyard.statistics.agreement import cohen_kappa, confusion_matrix
from flowyard.statistics.betting import BettingTest, betting_interval, betting_p_value, empirical_bernstein_interval
from flowyard.statistics.bootstrap import bootstrap_interval, cluster_interval, mean_interval
from flowyard.statistics.corrections import benjamini_hochberg, bonferroni, holm
from flowyard.statistics.cuped import cuped
from flowyard.statistics.group_sequential import group_sequential_bounds
from flowyard.statistics.judge_error import judged_mean, judged_mean_of_clusters, judged_share, mean_of_clusters
from flowyard.statistics.mcnemar import mcnemar_asymptotic, mcnemar_corrected, mcnemar_exact, mcnemar_mid_p
from flowyard.statistics.noninferiority import bounded_not_worse, scores_not_worse, shares_not_worse
from flowyard.statistics.paired import paired_t, sign_flip, wilcoxon_signed_rank
from flowyard.statistics.percentiles import percentile, percentile_difference_interval, percentile_interval
from flowyard.statistics.power import (
    detectable_difference,
    detectable_difference_binary,
    lines_needed,
    lines_needed_binary,
    mcnemar_power,
    mcnemar_size,
    t_power,
    t_size,
    two_proportions_size,
)
from flowyard.statistics.proportions import (
    newcombe_interval,
    newcombe_paired_interval,
    tango_interval,
    tango_z,
    wilson_interval,
)
from flowyard.statistics.sample_ratio import sample_ratio_p_value
from flowyard.statistics.sequential import (
    SplitEpoch,
    anytime_p_value,
    multinomial_log_e_value,
    normal_mixture,
    rates_log_e_value,
)
from flowyard.statistics.two_sample import Moments, welch_t

ENDLESS = (-math.inf, math.inf)
NAN = math.nan


def test_no_lines_leave_everything_open():
    assert wilson_interval(0, 0) == (0, 1)
    assert newcombe_interval(0, 0, 0, 0) == pytest.approx((-math.sqrt(0.5), math.sqrt(0.5)))
    assert newcombe_paired_interval(0, 0, 0, 0) == tango_interval(0, 0, 0) == (-1, 1)
    assert betting_interval([], 0, 5) == empirical_bernstein_interval([], 0, 5) == (0, 5)
    assert percentile_interval([], 95) == ENDLESS
    assert shares_not_worse(0, 0, 0, 0.01).p_value == 1
    assert holm([]) == bonferroni([]) == benjamini_hochberg([]) == []
    assert cohen_kappa([], []).interval == (-1, 1)
    assert multinomial_log_e_value((0, 0), (0.5, 0.5)) == rates_log_e_value([]) == 0
    assert sample_ratio_p_value((0, 0), (1, 1)) == 1
    assert wilcoxon_signed_rank([]).p_value == betting_p_value([], 0, -1, 1, "greater") == 1


def test_one_line_shows_nothing():
    assert paired_t([3.0]).interval == mean_interval([3.0]) == ENDLESS
    assert cluster_interval([1.0, 2.0], ["same", "same"]) == ENDLESS
    assert bootstrap_interval(lambda sample: sample.mean(axis=-1), [1.0]) == ENDLESS
    assert percentile_difference_interval([1.0], [2.0], 50) == ENDLESS
    assert paired_t([3.0]).p_value == sign_flip([3.0]) == scores_not_worse([3.0], 0.1).p_value == 1
    assert judged_mean([1.0, 2.0], [1.0, None]).interval == ENDLESS
    assert detectable_difference(1, 1.0) is None
    assert detectable_difference_binary(3, 0.1) is None


def test_lines_that_are_all_equal():
    assert mean_interval([0.5] * 9) == paired_t([0.5] * 9).interval == (0.5, 0.5)
    assert paired_t([0.0] * 9).p_value == sign_flip([0.0] * 9) == wilcoxon_signed_rank([0.0] * 9).p_value == 1
    assert paired_t([0.1] * 9).p_value == 0
    assert sign_flip([0.1] * 9) == 2 / 2**9
    assert scores_not_worse([0.0] * 5, 0.1).p_value == 0.5**5
    assert not scores_not_worse([-0.1] * 5, 0.1).shown
    assert detectable_difference(50, 0.0) == 0
    assert lines_needed(0.2, 0.0) == 2
    assert cuped([[1.0, 1.0]], [[2.0, 3.0]]).theta == 0
    assert welch_t(Moments.of([1, 1]), Moments.of([1, 1])).p_value == 1
    assert welch_t(Moments.of([1, 1]), Moments.of([2, 2])).p_value == 0
    assert normal_mixture(0.0, 0.0, 10).p_value == 1
    assert math.isnan(cohen_kappa(["yes"] * 4, ["yes"] * 4).kappa)


def test_nothing_discordant():
    for test in (mcnemar_mid_p, mcnemar_exact, mcnemar_asymptotic, mcnemar_corrected):
        assert test(0, 0) == 1
        assert test(7, 7) == 1
    low, high = newcombe_paired_interval(40, 0, 0, 10)
    assert -0.06 < low < 0 < high < 0.06
    low, high = tango_interval(0, 0, 50)
    assert low == -high != 0
    assert lines_needed(0.0, 1.0) is None
    assert lines_needed_binary(0.0, 0.1) is None


def test_few_lines_without_a_loss_are_no_proof_of_being_as_good():
    needed = next(lines for lines in itertools.count(1) if shares_not_worse(0, 0, lines, 0.05).shown)
    assert needed == 52
    assert not shares_not_worse(0, 0, 20, 0.05).shown
    rare_and_large = [0.0] * 99 + [-1.0]
    assert scores_not_worse(rare_and_large, 0.05).shown  # trusts the variance it saw
    assert not bounded_not_worse(rare_and_large, 0.05, -1, 1).shown


def test_all_lines_point_one_way():
    assert tango_interval(5, 0, 5).high == 1
    assert tango_interval(0, 5, 5).low == -1
    assert wilson_interval(7, 7).high == 1
    assert newcombe_paired_interval(0, 5, 0, 0).high == 1


def test_a_judge_without_a_seen_error_is_not_perfect():
    labels: list[float | None] = [1, 1, 1, 0, 0, 1, 1, 1, 0, 1, *[None] * 190]
    verdicts = [1.0 if label is None else label for label in labels]
    found = judged_share(verdicts, labels)
    assert found.value == pytest.approx(found.judged)
    assert found.interval.low < wilson_interval(sum(verdicts), 200).low - 0.1


def test_a_verdict_that_no_label_checks_is_open():
    found = judged_share([1, 1, 1, 0, 0, 0], [1, 1, None, None, None, None])
    assert found.value == 0.5
    assert found.interval.high > 0.95


def test_all_lines_labelled_need_no_judge():
    labels = [1, 0, 1, 1]
    assert judged_share([0, 0, 0, 1], labels).interval == wilson_interval(3, 4)
    found = judged_mean([0, 9, 9, 9], [1.0, 2.0, 3.0, 4.0])
    assert found.interval == pytest.approx(paired_t([1, 2, 3, 4]).interval)


def test_nan_is_an_unlabelled_line_and_nonsense_elsewhere():
    assert judged_share([1, 0, 1], [1, 0, NAN]).labelled_lines == 2
    for call in (
        lambda: paired_t([1.0, NAN]),
        lambda: sign_flip([1.0, NAN]),
        lambda: mean_interval([1.0, math.inf]),
        lambda: holm([0.1, NAN]),
        lambda: wilson_interval(NAN, 3),
        lambda: percentile([NAN], 50),
        lambda: betting_p_value([NAN], 0, -1, 1, "less"),
        lambda: judged_mean([NAN, 1.0], [1.0, 2.0]),
        lambda: Moments.of([NAN]),
    ):
        with pytest.raises(ValueError, match=r"nan|inf"):
            call()


@pytest.mark.parametrize(
    "call",
    [
        lambda: wilson_interval(4, 3),
        lambda: wilson_interval(1, 3, confidence=95),
        lambda: tango_interval(3, 3, 5),
        lambda: tango_z(1, 1, 5, 1.0),
        lambda: mcnemar_mid_p(1.5, 2),
        lambda: mcnemar_exact(-1, 2),
        lambda: paired_t([]),
        lambda: sign_flip([]),
        lambda: sign_flip([1.0], resamples=0),
        lambda: mean_interval([]),
        lambda: bootstrap_interval(lambda sample: sample.mean(axis=-1), [1, 2], [1]),
        lambda: bootstrap_interval(lambda sample: sample.mean(axis=-1) * NAN, [1, 2]),
        lambda: cluster_interval([1.0, 2.0], ["a"]),
        lambda: holm([1.2]),
        lambda: scores_not_worse([1.0, 2.0], 0.0),
        lambda: shares_not_worse(1, 1, 10, 2.0),
        lambda: mcnemar_size(0.2, 0.1),
        lambda: mcnemar_size(0.0, 0.1),
        lambda: t_size(0.0),
        lambda: t_power(1, 1),
        lambda: two_proportions_size(0.5, 0.5),
        lambda: cohen_kappa([1], [1, 2]),
        lambda: cohen_kappa([1], [1], "linear"),
        lambda: confusion_matrix(["x"], ["y"], labels=["x"]),
        lambda: confusion_matrix(["x"], ["x"], labels=["x", "x"]),
        lambda: judged_share([1, 0], [None, None]),
        lambda: judged_share([0.5, 1], [1, 1]),
        lambda: judged_mean([], []),
        lambda: BettingTest(2, 0, 1, "greater"),
        lambda: BettingTest(0.5, 0, 1, "greater").add(1.5),
        lambda: betting_p_value([0.5] * 3, 0.5, 0, 1, "less", lines_in_all=2),
        lambda: multinomial_log_e_value((1, 2), (0.5, 0.6)),
        lambda: sample_ratio_p_value((1,), (1,)),
        lambda: welch_t(Moments.of([1]), Moments.of([1, 2])),
        lambda: cuped([[1.0]], [[1.0], [2.0]]),
        lambda: group_sequential_bounds(0),
        lambda: percentile_interval([1.0], 100),
    ],
)
def test_nonsense_is_refused(call):
    with pytest.raises(ValueError):  # noqa: PT011 - each has words of its own
        call()


def test_the_same_seed_gives_the_same_interval_and_another_one_hardly_differs():
    values = [random.Random(line).gauss(0, 1) for line in range(300)]
    assert mean_interval(values, seed=4) == mean_interval(values, seed=4) != mean_interval(values, seed=5)
    assert mean_interval(values, seed=4) == pytest.approx(mean_interval(values, seed=5), abs=0.02)
    assert sign_flip(values, seed=1) == sign_flip(values, seed=1)


def test_grades_are_drawn_as_counts_with_the_same_result():
    grades = [random.Random(line).choice((-1.0, 0.0, 0.0, 1.0, 1.0)) for line in range(400)]
    nearly = [grade + line * 1e-9 for line, grade in enumerate(grades)]
    assert mean_interval(grades, resamples=20_000) == pytest.approx(mean_interval(nearly, resamples=20_000), abs=0.004)
    assert sign_flip(grades[:60]) == pytest.approx(sign_flip(nearly[:60]), abs=0.02)


def test_a_ratio_of_columns_is_resampled_by_line():
    tokens = [float(100 + line % 7) for line in range(60)]
    low, high = bootstrap_interval(lambda x, y: x.sum(axis=-1) / y.sum(axis=-1), [2 * t for t in tokens], tokens)
    assert low == high == 2


def test_what_was_known_before_takes_variance_away():
    source = random.Random(8)
    before = [[source.gauss(0, 1) for _ in range(400)] for _ in range(2)]
    after = [[x + shift + 0.5 * source.gauss(0, 1) for x in arm] for shift, arm in zip((0.0, 0.3), before, strict=True)]
    found = cuped(after, before)
    plain = welch_t(*(Moments.of(arm) for arm in after))
    better = welch_t(*(Moments.of(arm) for arm in found.adjusted))
    assert found.theta == pytest.approx(1, abs=0.05)
    assert found.variance_factor == pytest.approx(0.2, abs=0.03)
    assert better.standard_error**2 / plain.standard_error**2 == pytest.approx(found.variance_factor, abs=0.01)
    assert better.interval.low < 0.3 < better.interval.high


def test_a_real_difference_is_found_early_and_by_the_right_side():
    source = random.Random(9)
    worse = BettingTest(0.0, -1.0, 1.0, "less")
    better = BettingTest(0.0, -1.0, 1.0, "greater")
    for _ in range(300):
        value = source.choice((-1.0, -1.0, 0.0, 0.0, 1.0))
        worse.add(value)
        better.add(value)
    assert worse.p_value < 0.001
    assert better.p_value > 0.05


def test_a_lead_that_the_lines_left_cannot_turn_is_certain():
    test = BettingTest(0.0, -1.0, 1.0, "greater", lines_in_all=10)
    p_values = [test.add(value) for value in [1.0] * 6]
    assert p_values[4] > 0  # four lost lines would still make the mean 0
    assert p_values[5] == 0


def test_epochs_with_other_shares_are_not_mixed_up():
    """The same rate in both versions; the split and the rate of all change together (Simpson)."""
    epochs = [SplitEpoch(0.1, 810, 90, 90, 10), SplitEpoch(0.5, 250, 250, 250, 250)]
    mixed = SplitEpoch(350 / 2000, 1060, 340, 340, 260)
    assert anytime_p_value(rates_log_e_value(epochs)) == 1
    assert anytime_p_value(rates_log_e_value([mixed])) < 0.001


def test_sizes_and_powers_belong_together():
    assert mcnemar_power(mcnemar_size(0.05, 0.2), 0.05, 0.2) == pytest.approx(0.8)
    assert lines_needed_binary(0.05, 0.2) == 626
    assert round(mcnemar_power(626, 0.05, 0.2), 2) == 0.8
    detectable = detectable_difference_binary(626, 0.2)
    assert detectable == pytest.approx(0.05, abs=1e-4)
    needed = lines_needed(0.3, 1.0)
    assert needed is not None
    assert t_power(needed, 0.3, paired=True) >= 0.8 > t_power(needed - 1, 0.3, paired=True)
    assert detectable_difference(needed, 1.0) == pytest.approx(0.3, abs=0.002)
    assert two_proportions_size(0.7, 0.75) / 2 == pytest.approx(1250, abs=1)
    assert two_proportions_size(0.7, 0.75, share_of_second=0.1) > 2.7 * two_proportions_size(0.7, 0.75)


def test_a_confusion_matrix_of_judge_and_people():
    found = confusion_matrix(["good", "good", "bad", "bad"], ["good", "bad", "bad", "bad"], labels=["bad", "good"])
    assert found.counts == ((2, 0), (1, 1))
    assert [share.value for share in found.recalls] == [1, 0.5]
    assert [share.value for share in found.precisions] == pytest.approx([2 / 3, 1])
    assert found.accuracy.interval == wilson_interval(3, 4)


@pytest.mark.parametrize("heavy", ["numpy", "scipy"])
def test_decisions_import_nothing_heavy(heavy: str):
    modules = "mcnemar,proportions,paired,bootstrap,percentiles,noninferiority,corrections,power,agreement,judge_error"
    code = "\n".join(
        [
            "import importlib, sys",
            f"for name in '{modules}'.split(','): importlib.import_module('flowyard.statistics.' + name)",
            f"sys.exit({heavy!r} in sys.modules)",
        ]
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_lines_that_are_clusters_of_their_own_are_independent_lines():
    judged, labels = [0.5, 0.9, 0.2, 0.7, 0.4], [0.4, 1.0, 0.3, 0.6, 0.1]
    plain, clustered = judged_mean(judged, labels), judged_mean_of_clusters(judged, labels, range(5))
    assert clustered.value == pytest.approx(plain.value)
    assert clustered.interval == pytest.approx(plain.interval)


def test_one_labelled_cluster_says_nothing_of_the_rest():
    found = judged_mean_of_clusters([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, None, None], ["a", "a", "b", "b"])
    assert found.interval == ENDLESS


def test_lines_of_known_value_are_in_the_mean_of_clusters():
    found = judged_mean_of_clusters([1.0, 1.0], [1.0, 1.0], ["a", "b"], known=[(0.0, "b"), (0.0, "c")])
    assert found.value == 0.5
    middle = mean_of_clusters([1.0, 1.0, 0.0, 0.0], "abbc")
    assert found.interval.low < middle.low  # two labelled clusters, not three


def test_clusters_have_to_fit_the_lines():
    with pytest.raises(ValueError, match="1 clusters do not fit 2 lines"):
        judged_mean_of_clusters([1.0, 2.0], [1.0, 2.0], ["a"])

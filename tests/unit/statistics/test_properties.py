"""What holds for all data: intervals hold the estimate and lie where they can; mirrored data give mirrored answers."""

from __future__ import annotations

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from flowyard.statistics.betting import betting_interval, betting_p_value
from flowyard.statistics.bootstrap import bootstrap_interval, mean_interval
from flowyard.statistics.corrections import benjamini_hochberg, bonferroni, holm
from flowyard.statistics.judge_error import judged_mean, judged_share
from flowyard.statistics.mcnemar import mcnemar_asymptotic, mcnemar_exact, mcnemar_mid_p
from flowyard.statistics.noninferiority import shares_not_worse
from flowyard.statistics.paired import paired_t, sign_flip, wilcoxon_signed_rank
from flowyard.statistics.percentiles import percentile, percentile_interval
from flowyard.statistics.proportions import newcombe_paired_interval, tango_interval, tango_z, wilson_interval

patient = settings(deadline=None, derandomize=True, max_examples=100, suppress_health_check=list(HealthCheck))

counts = st.integers(0, 60)
bounded = st.floats(-1, 1)


@patient
@given(counts, counts, counts, counts)
def test_paired_intervals_hold_the_difference(both: int, only_first: int, only_second: int, neither: int):
    lines = both + only_first + only_second + neither
    seen = (only_first - only_second) / lines if lines else 0.0
    newcombe = newcombe_paired_interval(both, only_first, only_second, neither)
    tango = tango_interval(only_first, only_second, lines)
    for low, high in (newcombe, tango):
        assert -1 <= low <= seen + 1e-12
        assert seen - 1e-12 <= high <= 1
    mirrored = newcombe_paired_interval(both, only_second, only_first, neither)
    assert (-mirrored.high, -mirrored.low) == pytest.approx(newcombe, abs=1e-12)
    mirrored = tango_interval(only_second, only_first, lines)
    assert (-mirrored.high, -mirrored.low) == pytest.approx(tango, abs=1e-10)


@patient
@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 60), st.integers(-8, 8))
def test_tango_is_the_score_at_the_likeliest_shares(only_first: int, only_second: int, agreeing: int, tenths: int):
    """The closed form against the root of the likelihood's slope."""
    lines, difference = only_first + only_second + agreeing, tenths / 10

    def slope(share: float) -> float:
        rest = 1 - 2 * share - difference
        return only_first / (share + difference) + only_second / share - 2 * agreeing / rest

    low, high = max(0.0, -difference), (1 - difference) / 2
    edge = 1e-12 * (high - low)
    share = brentq(slope, low + edge, high - edge, xtol=1e-16, rtol=1e-14)
    variance = lines * (2 * share + difference * (1 - difference))
    expected = (only_first - only_second - lines * difference) / math.sqrt(variance)
    assert tango_z(only_first, only_second, lines, difference) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@patient
@given(counts, counts)
def test_tango_at_no_difference_is_mcnemar(only_first: int, only_second: int):
    shown = 2 * min(shares_p for shares_p in _sides(only_first, only_second))
    assert min(1.0, shown) == pytest.approx(mcnemar_asymptotic(only_first, only_second), abs=1e-12)


def _sides(only_first: int, only_second: int) -> tuple[float, float]:
    z = tango_z(only_first, only_second, 200, 0.0)
    return 0.5 * math.erfc(z / math.sqrt(2)), 0.5 * math.erfc(-z / math.sqrt(2))


@patient
@given(counts, counts)
def test_p_values_do_not_know_which_version_is_first(only_first: int, only_second: int):
    for test in (mcnemar_mid_p, mcnemar_exact, mcnemar_asymptotic):
        assert test(only_first, only_second) == test(only_second, only_first)
        assert 0 <= test(only_first, only_second) <= 1
    assert mcnemar_mid_p(only_first, only_second) <= mcnemar_exact(only_first, only_second)


@patient
@given(st.lists(bounded, min_size=2, max_size=25))
def test_mirrored_differences(values: list[float]):
    mirrored = [-value for value in values]
    assert sign_flip(values) == pytest.approx(sign_flip(mirrored))
    assert wilcoxon_signed_rank(values).p_value == pytest.approx(wilcoxon_signed_rank(mirrored).p_value)
    assert paired_t(values).p_value == pytest.approx(paired_t(mirrored).p_value)
    assert betting_p_value(values, 0, -1, 1, "greater") == pytest.approx(betting_p_value(mirrored, 0, -1, 1, "less"))


@patient
@given(st.lists(bounded, min_size=2, max_size=40))
def test_intervals_of_means_lie_within_the_data(values: list[float]):
    low, high = mean_interval(values, resamples=100)
    assert min(values) - 1e-12 <= low <= high <= max(values) + 1e-12
    low, high = bootstrap_interval(lambda sample: sample.mean(axis=-1), values, resamples=100)
    assert min(values) - 1e-12 <= low <= high <= max(values) + 1e-12
    low, high = percentile_interval(values, 50)
    assert low <= percentile(values, 50) <= high


@settings(patient, max_examples=20)
@given(st.lists(bounded, min_size=1, max_size=30))
def test_betting_on_all_lines_knows_the_mean(values: list[float]):
    low, high = betting_interval(values, -1, 1, lines_in_all=len(values))
    mean = math.fsum(values) / len(values)
    assert (low, high) == pytest.approx((mean, mean), abs=1e-6)


@patient
@given(st.lists(st.tuples(st.integers(0, 1), st.sampled_from([0, 1, None])), min_size=1, max_size=40))
def test_judged_shares_stay_shares(lines: list[tuple[int, int | None]]):
    verdicts, labels = [verdict for verdict, _ in lines], [label for _, label in lines]
    if all(label is None for label in labels):
        return
    found = judged_share(verdicts, labels)
    assert 0 <= found.interval.low <= found.value + 1e-12
    assert found.value - 1e-12 <= found.interval.high <= 1
    assert 0 <= judged_mean(verdicts, labels).weight <= 1


@patient
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_corrections_only_raise_and_keep_the_order(p_values: list[float]):
    for correct in (holm, bonferroni, benjamini_hochberg):
        adjusted = correct(p_values)
        assert all(before - 1e-15 <= after <= 1 for before, after in zip(p_values, adjusted, strict=True))
        order = sorted(range(len(p_values)), key=p_values.__getitem__)
        assert [adjusted[place] for place in order] == sorted(adjusted)
    assert all(h <= b for h, b in zip(holm(p_values), bonferroni(p_values), strict=True))


@patient
@given(counts, counts, st.floats(0.01, 0.5))
def test_not_worse_says_the_same_as_its_limit(only_version: int, only_baseline: int, margin: float):
    found = shares_not_worse(only_version, only_baseline, only_version + only_baseline + 20, margin)
    if abs(found.p_value - 0.05) > 1e-9:
        assert found.shown == (found.low > -margin)


@patient
@given(st.integers(0, 500), st.integers(0, 500))
def test_more_confidence_is_wider(successes: int, failures: int):
    lines = successes + failures
    narrow, wide = wilson_interval(successes, lines, 0.8), wilson_interval(successes, lines, 0.99)
    assert wide.low <= narrow.low <= narrow.high <= wide.high

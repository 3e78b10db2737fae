"""Wherever scipy or statsmodels have a method, ours agrees with it to 1e-9."""

from __future__ import annotations

import math

import numpy
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from scipy import special as scipy_special
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.inter_rater import cohens_kappa
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestIndPower, TTestPower
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from flowyard.statistics.agreement import cohen_kappa
from flowyard.statistics.bootstrap import bca_interval, bootstrap_interval, mean_interval
from flowyard.statistics.corrections import benjamini_hochberg, bonferroni, holm
from flowyard.statistics.mcnemar import mcnemar_asymptotic, mcnemar_corrected, mcnemar_exact, mcnemar_mid_p
from flowyard.statistics.paired import paired_t, sign_flip, wilcoxon_signed_rank
from flowyard.statistics.percentiles import percentile, percentile_interval
from flowyard.statistics.power import noncentral_t_sf, t_power
from flowyard.statistics.proportions import newcombe_interval, wilson_interval
from flowyard.statistics.sample_ratio import sample_ratio_p_value
from flowyard.statistics.special import (
    beta_cdf,
    beta_quantile,
    binomial_cdf,
    binomial_pmf,
    binomial_sf,
    chi_square_sf,
    normal_quantile,
    normal_sf,
    student_t_quantile,
    student_t_sf,
)
from flowyard.statistics.two_sample import Moments, welch_t

CLOSE = 1e-9
patient = settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
often = settings(patient, max_examples=120)
seldom = settings(patient, max_examples=25)

shapes = st.floats(0.05, 1e4)
chances = st.floats(1e-6, 1 - 1e-6)
scores = st.floats(-100, 100).map(lambda value: round(value, 3))
grades = st.integers(-4, 4).map(float)


def close(ours: float, theirs: float) -> bool:
    return ours == pytest.approx(float(theirs), rel=CLOSE, abs=CLOSE)


@often
@given(chances, shapes, shapes)
def test_beta(x: float, a: float, b: float):
    assert close(beta_cdf(x, a, b), scipy_special.betainc(a, b, x))


@often
@given(chances, st.floats(0.5, 1e4), st.floats(0.5, 1e4))
def test_beta_quantile(p: float, a: float, b: float):
    assert close(beta_quantile(p, a, b), scipy_special.betaincinv(a, b, p))


@often
@given(st.floats(-40, 40), st.floats(0.5, 1e5), chances)
def test_student_t(t: float, freedom: float, p: float):
    assert close(student_t_sf(t, freedom), stats.t.sf(t, freedom))
    assert close(student_t_sf(student_t_quantile(p, freedom), freedom), 1 - p)


@often
@given(st.integers(0, 100_000), st.data(), chances)
def test_binomial(n: int, data: st.DataObject, p: float):
    k = data.draw(st.integers(0, n))
    assert close(binomial_pmf(k, n, p), stats.binom.pmf(k, n, p))
    assert close(binomial_cdf(k, n, p), stats.binom.cdf(k, n, p))
    assert close(binomial_sf(k, n, p), stats.binom.sf(k, n, p))


@often
@given(st.floats(0, 1e4), st.floats(0.5, 5e3))
def test_chi_square(x: float, freedom: float):
    assert close(chi_square_sf(x, freedom), stats.chi2.sf(x, freedom))


@often
@given(st.floats(-30, 30), chances)
def test_normal(z: float, p: float):
    assert normal_sf(z) == pytest.approx(float(stats.norm.sf(z)), rel=1e-9)
    assert close(normal_quantile(p), stats.norm.ppf(p))


# SciPy's own underflows at 1e-138, and says so with an error: between nothing and 1e-9 there is no oracle.
@often
@given(st.floats(0, 20).map(lambda t: round(t, 9)), st.floats(1, 500), st.floats(0, 10).map(lambda d: round(d, 9)))
def test_noncentral_t(t: float, freedom: float, shift: float):
    assert close(noncentral_t_sf(t, freedom, shift), stats.nct.sf(t, freedom, shift))


@often
@given(st.integers(1, 2000), st.data(), st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_wilson(n: int, data: st.DataObject, confidence: float):
    k = data.draw(st.integers(0, n))
    theirs = proportion_confint(k, n, 1 - confidence, method="wilson")
    assert all(close(*pair) for pair in zip(wilson_interval(k, n, confidence), theirs, strict=True))


@often
@given(st.integers(1, 500), st.integers(1, 500), st.data())
def test_newcombe(n: int, m: int, data: st.DataObject):
    k, j = data.draw(st.integers(0, n)), data.draw(st.integers(0, m))
    theirs = confint_proportions_2indep(k, n, j, m, method="newcomb", compare="diff")
    assert all(close(*pair) for pair in zip(newcombe_interval(k, n, j, m), theirs, strict=True))


@often
@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemar(b: int, c: int):
    assume(b + c > 0)
    table = [[0, b], [c, 0]]
    assert close(mcnemar_exact(b, c), mcnemar(table, exact=True).pvalue)
    assert close(mcnemar_asymptotic(b, c), mcnemar(table, exact=False, correction=False).pvalue)
    if b != c:
        assert close(mcnemar_corrected(b, c), mcnemar(table, exact=False, correction=True).pvalue)
    mid_p = min(1.0, 2 * stats.binom.cdf(min(b, c), b + c, 0.5) - stats.binom.pmf(min(b, c), b + c, 0.5))
    assert close(mcnemar_mid_p(b, c), mid_p)


@often
@given(st.lists(scores, min_size=2, max_size=60))
def test_paired_t(values: list[float]):
    assume(numpy.std(values) > 1e-3)
    theirs = stats.ttest_1samp(values, 0)
    ours = paired_t(values)
    assert close(ours.statistic, theirs.statistic)
    assert close(ours.p_value, theirs.pvalue)
    assert all(close(*pair) for pair in zip(ours.interval, theirs.confidence_interval(), strict=True))


@seldom
@given(st.lists(st.one_of(grades, scores), min_size=2, max_size=9), st.sampled_from(["two-sided", "greater", "less"]))
def test_sign_flip_is_the_exact_permutation_test(values: list[float], alternative: str):
    theirs = stats.permutation_test(
        (values,),
        lambda x, axis: numpy.mean(x, axis=axis).round(9),
        permutation_type="samples",
        vectorized=True,
        alternative="greater" if alternative == "two-sided" else alternative,
        n_resamples=math.inf,
    )
    flipped = [
        numpy.array(values) @ signs
        for signs in numpy.array(numpy.meshgrid(*[[-1, 1]] * len(values))).T.reshape(-1, len(values))
    ]
    sums, total = numpy.round(flipped, 6), round(sum(values), 6)
    expected = {
        "two-sided": (abs(sums) >= abs(total)).mean(),
        "greater": (sums >= total).mean(),
        "less": (sums <= total).mean(),
    }[alternative]
    assert close(sign_flip(values, alternative), expected)
    if alternative != "two-sided":
        assert close(sign_flip(values, alternative), theirs.pvalue)


@seldom
@given(
    st.lists(grades.map(lambda value: value or 1.0), min_size=2, max_size=9),
    st.sampled_from(["two-sided", "greater", "less"]),
)
def test_wilcoxon_with_ties(values: list[float], alternative: str):
    theirs = stats.wilcoxon(values, alternative=alternative, method=stats.PermutationMethod())
    assert close(wilcoxon_signed_rank(values, alternative).p_value, theirs.pvalue)


@seldom
@given(
    st.lists(scores.map(lambda value: value or 1.0), min_size=60, max_size=120),
    st.sampled_from(["two-sided", "greater", "less"]),
)
def test_wilcoxon_of_many(values: list[float], alternative: str):
    theirs = stats.wilcoxon(values, alternative=alternative, method="asymptotic", correction=True)
    ours = wilcoxon_signed_rank(values, alternative)
    assert not ours.exact
    assert close(min(1, ours.p_value), min(1, theirs.pvalue))


@seldom
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_corrections(p_values: list[float]):
    for ours, name in ((holm, "holm"), (bonferroni, "bonferroni"), (benjamini_hochberg, "fdr_bh")):
        theirs = multipletests(p_values, method=name)[1]
        assert all(close(*pair) for pair in zip(ours(p_values), theirs, strict=True))


@seldom
@given(st.lists(scores, min_size=5, max_size=40), st.integers(0, 1000))
def test_bca_from_the_same_resamples(values: list[float], seed: int):
    assume(numpy.std(values) > 1e-3)
    theirs = stats.bootstrap((values,), numpy.mean, n_resamples=400, method="BCa", rng=numpy.random.default_rng(seed))
    centered = numpy.array(values) - numpy.mean(values)
    acceleration = float((centered**3).sum() / (6 * (centered**2).sum() ** 1.5))
    ours = bca_interval(float(numpy.mean(values)), theirs.bootstrap_distribution, acceleration)
    assert all(close(*pair) for pair in zip(ours, theirs.confidence_interval, strict=True))


def test_bca_with_its_own_resamples():
    values = numpy.random.default_rng(3).exponential(size=60).tolist()
    theirs = stats.bootstrap((values,), numpy.mean, n_resamples=20_000, method="BCa", rng=numpy.random.default_rng(4))
    low, high = theirs.confidence_interval
    width = high - low
    for ours in (
        mean_interval(values, resamples=20_000),
        bootstrap_interval(lambda sample: sample.mean(axis=-1), values, resamples=20_000),
    ):
        assert ours == pytest.approx((low, high), abs=0.03 * width)


@seldom
@given(st.lists(st.lists(st.integers(0, 20), min_size=3, max_size=3), min_size=3, max_size=3))
def test_kappa(table: list[list[int]]):
    pairs = [(i, j) for i in range(3) for j in range(3) for _ in range(table[i][j])]
    assume(len({i for i, _ in pairs}) > 1 and len({j for _, j in pairs}) > 1)
    first, second = zip(*pairs, strict=True)
    for ours, theirs in ((None, None), ("linear", "linear"), ("quadratic", "quadratic")):
        found, expected = cohen_kappa(first, second, ours, labels=range(3)), cohens_kappa(numpy.array(table), wt=theirs)
        assert close(found.kappa, expected.kappa)
        assert found.standard_error == pytest.approx(float(numpy.sqrt(max(0, expected.var_kappa))), abs=1e-7)


@often
@given(st.lists(st.integers(1, 10_000), min_size=2, max_size=6), st.data())
def test_sample_ratio(counts: list[int], data: st.DataObject):
    shares = data.draw(st.lists(st.floats(0.05, 1), min_size=len(counts), max_size=len(counts)))
    expected = numpy.array(shares) / sum(shares) * sum(counts)
    assert close(sample_ratio_p_value(counts, shares), stats.chisquare(counts, expected).pvalue)


@often
@given(st.lists(scores, min_size=2, max_size=40), st.lists(scores, min_size=2, max_size=40))
def test_welch(first: list[float], second: list[float]):
    assume(numpy.std(first) > 0.1 and numpy.std(second) > 0.1)
    theirs = stats.ttest_ind(second, first, equal_var=False)
    ours = welch_t(Moments.of(first), Moments.of(second))
    assert ours.p_value == pytest.approx(float(theirs.pvalue), rel=1e-7, abs=1e-9)
    assert ours.degrees_of_freedom == pytest.approx(float(theirs.df), rel=1e-7)


@seldom
@given(st.floats(0.05, 2), st.integers(3, 200))
def test_t_power(effect: float, n: int):
    two = TTestIndPower().power(effect, n, 0.05, alternative="larger")
    one = TTestPower().power(effect, n, 0.05, alternative="larger")
    assert close(t_power(n, effect, sides=1), two)
    assert close(t_power(n, effect, paired=True, sides=1), one)


@often
@given(st.lists(scores, min_size=1, max_size=200), st.floats(0, 100))
def test_percentile(values: list[float], percent: float):
    assert close(percentile(values, percent), numpy.percentile(values, percent))


@often
@given(st.integers(2, 400), st.sampled_from([1.0, 50.0, 90.0, 95.0, 99.0]), st.sampled_from([0.8, 0.95]))
def test_percentile_interval(  # not of one line: 1 - 0.9 and (1 - 0.8) / 2 are equal, and rounding decides
    lines: int, percent: float, confidence: float
):
    theirs = stats.quantile_test(numpy.arange(lines), p=percent / 100).confidence_interval(confidence)
    ours = percentile_interval(range(lines), percent, confidence)
    for mine, other in zip(ours, theirs, strict=True):
        assert mine == other or (math.isinf(mine) and math.isnan(other))

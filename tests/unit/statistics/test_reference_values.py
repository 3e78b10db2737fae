"""Every published value that we know of comes out, to its last printed digit. The table is printed after the tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from flowyard.statistics.corrections import benjamini_hochberg, bonferroni, holm
from flowyard.statistics.group_sequential import group_sequential_bounds
from flowyard.statistics.mcnemar import mcnemar_asymptotic, mcnemar_corrected, mcnemar_exact, mcnemar_mid_p
from flowyard.statistics.paired import paired_t, wilcoxon_signed_rank
from flowyard.statistics.power import t_power, t_size, two_proportions_power, two_proportions_size
from flowyard.statistics.proportions import (
    newcombe_interval,
    newcombe_paired_interval,
    tango_interval,
    wilson_interval,
)
from flowyard.statistics.sample_ratio import sample_ratio_p_value
from flowyard.statistics.sequential import MixtureInterval, normal_mixture
from flowyard.statistics.special import normal_quantile
from flowyard.statistics.two_sample import Moments, WelchT, welch_t

BENJAMINI_HOCHBERG_1995 = (
    *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344),
    *(0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000),
)
SLEEP_FIRST = (0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0)
SLEEP_SECOND = (1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4)
DEPRESSION_FIRST = (1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30)
DEPRESSION_SECOND = (0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29)


@dataclass(frozen=True)
class Reference:
    """``published`` are the digits as they are printed."""

    source: str
    case: str
    published: tuple[str, ...]
    ours: Callable[[], Sequence[float]]

    def __str__(self) -> str:
        return f"{self.source}: {self.case}"


def mcnemar_all(only_first: int, only_second: int) -> tuple[float, ...]:
    tests = (mcnemar_asymptotic, mcnemar_corrected, mcnemar_exact, mcnemar_mid_p)
    return tuple(test(only_first, only_second) for test in tests)


def chi_square_of(p_value: float) -> float:
    return normal_quantile(p_value / 2) ** 2


def rejected(adjusted: Sequence[float]) -> int:
    return sum(p_value <= 0.05 for p_value in adjusted)


def differences(first: Sequence[float], second: Sequence[float]) -> list[float]:
    return [x - y for x, y in zip(first, second, strict=True)]


def sleep_t() -> tuple[float, ...]:
    test = paired_t(differences(SLEEP_FIRST, SLEEP_SECOND))
    return test.statistic, test.p_value, *test.interval


def depression() -> tuple[float, ...]:
    test = wilcoxon_signed_rank(differences(DEPRESSION_FIRST, DEPRESSION_SECOND), "greater")
    return test.statistic, test.p_value


def growthbook() -> tuple[WelchT, MixtureInterval]:
    fixed = welch_t(Moments(1000, 1000, 2000), Moments(1000, 1100, 2210))
    return fixed, normal_mixture(fixed.difference, fixed.standard_error, 2000)


MCNEMAR = "Fagerland, Lydersen, Laake 2013"
WILSON = "Newcombe 1998, one proportion"
DIFFERENCE = "Newcombe 1998, method 10"
PAIRED = "Fagerland, Lydersen, Laake 2014"
BENJAMINI = "Benjamini, Hochberg 1995"
GROWTHBOOK = "gbstats 0.8.0, n = 1000 + 1000"
JENNISON = "group-sequential tables, K = 5"

REFERENCES = [
    Reference(
        MCNEMAR,
        "1/7: asymptotic, corrected, exact, mid-p",
        (".0339", ".0771", ".0703", ".0391"),
        lambda: mcnemar_all(1, 7),
    ),
    Reference(MCNEMAR, "6/16: the same four", (".0330", ".0550", ".0525", ".0347"), lambda: mcnemar_all(6, 16)),
    Reference(
        "Agresti, approval table",
        "86/150: z squared, uncorrected and corrected",
        ("17.36", "16.82"),
        lambda: (chi_square_of(mcnemar_asymptotic(86, 150)), chi_square_of(mcnemar_corrected(86, 150))),
    ),
    Reference(WILSON, "81/263", (".2553", ".3662"), lambda: wilson_interval(81, 263)),
    Reference(WILSON, "15/148", (".0624", ".1605"), lambda: wilson_interval(15, 148)),
    Reference(WILSON, "0/20", (".0000", ".1611"), lambda: wilson_interval(0, 20)),
    Reference(WILSON, "1/29", (".0061", ".1718"), lambda: wilson_interval(1, 29)),
    Reference(DIFFERENCE, "56/70 - 48/80", (".0524", ".3339"), lambda: newcombe_interval(56, 70, 48, 80)),
    Reference(DIFFERENCE, "9/10 - 3/10", (".1705", ".8090"), lambda: newcombe_interval(9, 10, 3, 10)),
    Reference(DIFFERENCE, "5/56 - 0/29", ("-.0381", ".1926"), lambda: newcombe_interval(5, 56, 0, 29)),
    Reference(
        PAIRED, "airways 1, 1, 7, 12: Newcombe", ("-.507", "-.026"), lambda: newcombe_paired_interval(1, 1, 7, 12)
    ),
    Reference(PAIRED, "airways 1/7 of 21: Tango", ("-.517", "-.026"), lambda: tango_interval(1, 7, 21)),
    Reference(
        BENJAMINI,
        "15 p-values: wins by BH, Holm, Bonferroni",
        ("4", "3", "3"),
        lambda: [rejected(adjust(BENJAMINI_HOCHBERG_1995)) for adjust in (benjamini_hochberg, holm, bonferroni)],
    ),
    Reference("R wilcox.test", "depression data, greater: V, p", ("40", ".01953"), depression),
    Reference("R t.test", "sleep, paired: t, p, interval", ("-4.0621", ".002833", "-2.4599", "-.7001"), sleep_t),
    Reference("R power.t.test", "n = 20, delta = 1", (".8689528",), lambda: [t_power(20, 1)]),
    Reference("R power.t.test", "delta = 1, power = .90: n", ("22.02110",), lambda: [t_size(1, power=0.9)]),
    Reference("R power.prop.test", "n = 50, .5 and .75", (".7401659",), lambda: [two_proportions_power(50, 0.5, 0.75)]),
    Reference(
        "R power.prop.test",
        ".5 and .75, power = .90: n",
        ("76.7",),
        lambda: [two_proportions_size(0.5, 0.75, power=0.9) / 2],
    ),
    Reference(
        "Kohavi et al.", "821588 : 815482", ("1.8e-6",), lambda: [sample_ratio_p_value((821588, 815482), (1, 1))]
    ),
    Reference(GROWTHBOOK, "sequential: half-width", ("0.139769550168564",), lambda: [growthbook()[1].half_width]),
    Reference(GROWTHBOOK, "sequential: p", (".3058",), lambda: [growthbook()[1].p_value]),
    Reference(GROWTHBOOK, "fixed: p", (".02553",), lambda: [growthbook()[0].p_value]),
    Reference(
        JENNISON,
        "O'Brien-Fleming",
        ("4.5617", "3.2256", "2.6337", "2.2809", "2.0401"),
        lambda: group_sequential_bounds(5),
    ),
    Reference(JENNISON, "Pocock", ("2.413",), lambda: group_sequential_bounds(5, shape="pocock")[:1]),
]


def printed_like(value: float, published: str) -> str:
    """The value with as many digits as were printed."""
    digits, _, exponent = published.partition("e")
    scaled = value / 10.0 ** int(exponent) if exponent else value
    text = f"{scaled:.{len(digits.partition('.')[2])}f}"
    text = text.replace("0.", ".", 1) if digits.lstrip("-").startswith(".") else text
    return f"{text}e{exponent}" if exponent else text


@pytest.mark.parametrize("reference", REFERENCES, ids=str)
def test_published_values_come_out_to_their_last_digit(reference: Reference, record_property):
    ours = tuple(reference.ours())
    printed = tuple(printed_like(value, digits) for value, digits in zip(ours, reference.published, strict=True))
    record_property(
        "reference values",
        [
            reference.source,
            reference.case,
            ", ".join(reference.published),
            ", ".join(f"{value:.10g}" for value in ours),
        ],
    )
    assert printed == reference.published


def test_the_closed_form_agrees_with_gbstats_to_fifteen_digits():
    assert growthbook()[1].half_width == pytest.approx(0.139769550168564, rel=1e-14)


@pytest.mark.parametrize("reference", REFERENCES, ids=str)
def test_the_page_lists_them_all(reference: Reference):
    page = (Path(__file__).resolve().parents[3] / "docs" / "statistics.md").read_text("utf-8")
    assert f"| {reference.source} | {reference.case} | {', '.join(reference.published)} |" in page


def test_the_example_of_the_page_prints_what_the_page_says(capsys):
    page = (Path(__file__).resolve().parents[3] / "docs" / "statistics.md").read_text("utf-8")
    code, printed = (page.split(f"```{kind}\n", 1)[1].split("```", 1)[0] for kind in ("python", "text"))
    exec(code, {})
    assert capsys.readouterr().out == printed

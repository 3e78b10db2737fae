"""Evidence made by hand for the experiments of ``conftest.py``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flowyard.decisions.model import Difference, Estimate, Evidence, GateResult, Interval, Metric, Scores, Winner
from flowyard.records import ErrorRecord, LineResult, Usage

if TYPE_CHECKING:
    from tests.unit.reports.conftest import Lab

ACCURACY = Metric("accuracy", "binary", True, "grade", 0.0, 1.0, "Share of lines with the right answer.")
COST = Metric("cost_usd", "total", False)


def interval(low: float, high: float) -> Interval:
    return Interval(low, high, 0.95, "Wilson")


def estimate(version: str, value: float, *, dataset: str = "tickets", **more: Any) -> Estimate:
    return Estimate(ACCURACY, version, dataset, value, 20, interval=interval(value - 0.1, value + 0.1), **more)


def difference(version: str, value: float, winner: Winner, *, dataset: str = "tickets") -> Difference:
    span = interval(value - 0.05, value + 0.05)
    return Difference(
        ACCURACY, version, "classify=a", dataset, value, span, 0.01, 0.02, "McNemar mid-p", 20, 5, 1, 14, winner
    )


def gate(verdict: Any, text: str = "accuracy >= 0.9", **more: Any) -> GateResult:
    return GateResult(text, verdict, f"accuracy is 0.5, so {text} {verdict}s", "accuracy", **more)


def evidence_of(*versions: str, gates: Sequence[GateResult] = (), **more: Any) -> Evidence:
    """Versions whose accuracy falls from 0.9 by 0.1 each; the first is the baseline."""
    values = {version: round(0.9 - place / 10, 3) for place, version in enumerate(versions)}
    others = list(versions)[1:]
    return Evidence(
        metrics=(COST, ACCURACY),
        scores=(Scores(ACCURACY, "tickets", [0, 1, 2], {each: [1.0, math.nan, 0.0] for each in versions}),),
        estimates=tuple(estimate(each, value) for each, value in values.items()),
        differences=tuple(difference(each, values[each] - 0.9, "worse") for each in others),
        slices=tuple(estimate(each, value, slice={"category": "hard"}) for each, value in values.items()),
        gates=tuple(gates),
        baseline=versions[0] if versions else None,
        **more,
    )


def add_version(lab: Lab, variant: str, *, failed: int = 0, good: int = 3, dataset: str = "tickets") -> str:
    """A version ``classify=<variant>`` with completed lines and then failed ones, judged by ``grade``."""
    usage = Usage(calls=1, prompt_tokens=10, completion_tokens=2, cost_usd=0.001)
    lines = [
        LineResult(n, "completed", {"question": f"q{n}"}, {"answer": f"a{n}"}, duration_s=0.1 + n / 100, usage=usage)
        for n in range(good)
    ]
    error = ErrorRecord("ProviderError", "The model is too busy.", "classify")
    lines += [LineResult(good + n, "failed", {"question": "bad"}, {}, error) for n in range(failed)]
    name = lab.variant(variant, lines, dataset=dataset)
    graded = [LineResult(n, "completed", {}, {"grade": "Correct"}) for n in range(good)]
    lab.evaluation("grade", name, graded, accuracy=0.5)
    return name

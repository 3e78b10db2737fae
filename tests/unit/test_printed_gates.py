"""What of many gates a terminal shows."""

from __future__ import annotations

import pytest

from flowyard.cli.experiment.result import print_gates
from flowyard.decisions.model import GateResult, Verdict
from flowyard.decisions.policy import DecisionPolicy


def result(gate: str, verdict: Verdict, version: str, dataset: str = "rows") -> GateResult:
    return GateResult(
        gate=gate, verdict=verdict, reason=f"{version} said so.", metric="a", version=version, dataset=dataset
    )


def test_a_gate_over_many_versions_is_one_row_with_a_worst_one(capsys: pytest.CaptureFixture[str]):
    gates = [result("a >= 1", "pass", f"v={number}") for number in range(5)]
    gates[2:2] = [result("a >= 1", "fail", "v=bad"), result("a >= 1", "inconclusive", "v=odd")]
    gates += [result("a >= 1", "pass", "v=0", "others"), result("b >= 1", "pass", "v=0")]
    print_gates(gates, DecisionPolicy())
    shown = capsys.readouterr().out
    assert shown.count("a >= 1") == 2
    assert "rows, v=bad: v=bad said so." in shown
    assert "Of 7 versions: 5 passed, 1 inconclusive, 1 failed. The others are in the reports." in " ".join(
        shown.split()
    )
    assert "v=odd" not in shown
    assert shown.endswith("Of 9: 7 passed, 1 inconclusive, 1 failed.\n")


def test_gates_of_one_version_are_shown_each(capsys: pytest.CaptureFixture[str]):
    print_gates([result("a >= 1", "pass", "v=0"), result("a >= 2", "fail", "v=0")], DecisionPolicy())
    shown = capsys.readouterr().out
    assert "versions" not in shown
    assert shown.index("a >= 1") < shown.index("a >= 2")

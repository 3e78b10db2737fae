"""May it ship? What the gates said, for the top of the page."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from flowyard.decisions.model import Evidence, GateResult, Verdict
from flowyard.reports.values import plural

__all__ = ["VERDICT_SIGNS", "Ruling", "ruling"]

VERDICT_SIGNS: dict[Verdict, str] = {"pass": "✓", "fail": "✕", "inconclusive": "?"}
"""A sign for each verdict, which always stands beside its word."""

_ANSWERS: dict[Verdict, str] = {
    "pass": "It may ship",
    "fail": "It must not ship",
    "inconclusive": "Not decided",
}


@dataclass(frozen=True, slots=True)
class Ruling:
    """The verdict in words; ``reasons`` are those of gates that did not pass, worst first, up to three."""

    verdict: Verdict
    answer: str
    counts: str
    reasons: tuple[GateResult, ...]


def ruling(evidence: Evidence | None) -> Ruling | None:
    """What the banner says; None without gates."""
    if evidence is None or evidence.verdict is None:
        return None
    counts = Counter(gate.verdict for gate in evidence.gates)
    words = {"fail": "failed", "inconclusive": "inconclusive", "pass": "passed"}
    parts = ", ".join(f"{counts[verdict]:,} {word}" for verdict, word in words.items() if counts[verdict])  # type: ignore[index]
    open_gates = [gate for gate in evidence.gates if gate.verdict != "pass"]
    open_gates.sort(key=lambda gate: gate.verdict != "fail")
    total = plural(len(evidence.gates), "gate")
    return Ruling(evidence.verdict, _ANSWERS[evidence.verdict], f"{total}: {parts}", tuple(open_gates[:3]))

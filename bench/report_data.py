"""Runs as they lie on disk after an experiment, made without running a flow: many lines, several variants, prompts."""

from __future__ import annotations

import random
from pathlib import Path

from flowyard.decisions.model import Evidence, Metric, Scores
from flowyard.records import Comparison, ErrorRecord, LineCounts, LineResult, NodeResult, RunRecord, Usage
from flowyard.runs.results import ResultWriter
from flowyard.sessions.encoding import LineEncoder

__all__ = ["make_comparison", "make_evidence"]

_WORDS = [
    *(
        "machine",
        "order",
        "coffee",
        "invoice",
        "refund",
        "delivery",
        "parcel",
        "account",
        "password",
        "water",
        "filter",
    ),
    *("pump", "leak", "late", "early", "wrong", "new", "old", "broken", "missing", "double", "charge"),
    *("month", "week", "today", "tomorrow", "please", "thanks", "again", "still", "never", "always"),
]
_LABELS = ("billing", "technical", "account", "shipping")
_GUIDE = " ".join(f"Rule {place}: when {word} is meant, say so." for place, word in enumerate(_WORDS * 2))


def make_comparison(folder: Path, lines: int, variants: int) -> Comparison:
    """``variants`` runs of ``lines`` lines over one dataset, each with an evaluation. The same for the same sizes."""
    runs: list[RunRecord] = []
    for place in range(variants):
        runs += _variant(folder, place, lines)
    labels = {run.name: f"classify=variant_{place}" for place, run in enumerate(runs[::2])}
    evaluations = {grade.name: ("grade", run.name) for run, grade in zip(runs[::2], runs[1::2], strict=True)}
    return Comparison("bench", "variant", tuple(runs), "2025-03-01T10:20:30+00:00", {}, evaluations, labels)


def make_evidence(lines: int, variants: int) -> Evidence:
    """The lines' scores, without tests: what the list of lines needs."""
    metric = Metric("accuracy", "binary", True, "grade", 0, 1)
    values = {
        f"classify=variant_{place}": [float(_is_right(place, line)) for line in range(lines)]
        for place in range(variants)
    }
    return Evidence((metric,), (Scores(metric, "tickets", range(lines), values),), (), ())


def _variant(folder: Path, place: int, lines: int) -> tuple[RunRecord, RunRecord]:
    own = _stored(folder / f"v{place}", f"v{place}", [_line(place, number) for number in range(lines)])
    grades = [_grade(place, number) for number in range(lines)]
    return own, _stored(folder / f"v{place}-grade", f"v{place}-grade", [line for line in grades if line is not None])


def _stored(folder: Path, name: str, lines: list[LineResult]) -> RunRecord:
    folder.mkdir(parents=True)
    encoder = LineEncoder(folder / "media")
    with ResultWriter(folder / "lines.jsonl") as writer:
        for line in lines:
            writer.append(encoder.finished(line))
    failed = sum(line.status == "failed" for line in lines)
    counts = LineCounts(len(lines), len(lines) - failed, failed)
    return RunRecord(name, "completed", "flow", folder, dataset="tickets", lines=counts, usage=Usage(len(lines), 5000))


def _line(place: int, number: int) -> LineResult:
    chance = random.Random(number)
    text = " ".join(chance.choices(_WORDS, k=60))
    inputs = {"subject": " ".join(chance.choices(_WORDS, k=4)), "text": text}
    usage = Usage(1, 600, 30, cost_usd=0.0002)
    prompt = f"system:\n{_GUIDE}\n\nuser:\nSubject: {inputs['subject']}\nMessage: {text}"
    if (number * 7 + place) % 97 == 0:
        error = ErrorRecord("ValueError", "The model's reply has no complete JSON object in it.", "parse")
        return LineResult(number, "failed", inputs, {}, error, duration_s=0.2, usage=usage)
    reason = " ".join(random.Random(number * 10 + place).choices(_WORDS, k=30))
    outputs = {"category": _said(place, number), "reason": reason}
    nodes = (
        NodeResult("classify", "completed", f'{{"category": "{outputs["category"]}", "reason": "{reason}"}}',
                   duration_s=0.2, usage=usage, prompts=(prompt,)),
        NodeResult("parse", "completed", outputs, duration_s=0.001),
    )  # fmt: skip
    return LineResult(number, "completed", inputs, outputs, nodes=nodes, duration_s=0.2 + place / 50, usage=usage)


def _grade(place: int, number: int) -> LineResult | None:
    if (number * 7 + place) % 97 == 0:
        return None
    right = _said(place, number) == _LABELS[number % 4]
    inputs = {"label": _LABELS[number % 4], "prediction": _said(place, number)}
    return LineResult(number, "completed", inputs, {"grade": "Correct" if right else "Incorrect"}, duration_s=0.0001)


def _said(place: int, number: int) -> str:
    return _LABELS[number % 4] if _is_right(place, number) else _LABELS[(number + 1) % 4]


def _is_right(place: int, number: int) -> bool:
    return (number * 31 + place * 17) % 100 < 70 + 5 * place

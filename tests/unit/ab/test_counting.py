"""From records to counts: who counts, once, where, and what a hostile record can do."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from ab_helper import DAY, START, policy
from hypothesis import given, settings
from hypothesis import strategies as st

from flowyard.ab.evidence.counting import count_records
from flowyard.ab.evidence.file import EvidenceFiles
from flowyard.ab.evidence.model import ArmCounts, Evidence, Split
from flowyard.ab.policy.model import Guardrail, PrimaryMetric
from flowyard.errors import UserError

SPLITS = (Split(1, START, {"a": 90, "b": 10}), Split(2, START + DAY, {"a": 50, "b": 50}))
FEEDBACK = PrimaryMetric("feedback", "feedback.rating", success=("up",))


def exposure(number: int, arm: str = "a", unit: str | None = None, **given: Any) -> dict[str, Any]:
    at = START + timedelta(seconds=number)
    return {
        "kind": "exposure",
        "at": at.isoformat(),
        "request_id": f"r{number}",
        "trace_id": f"t{number}",
        "experiment": "t",
        "unit": unit or f"u{number}",
        "arm": arm,
        "epoch": 1,
        "status": 200,
        "latency_s": 0.5,
        "mirror": False,
        **given,
    }


def feedback(number: int, rating: Any, after_s: float = 1, **given: Any) -> dict[str, Any]:
    at = (START + timedelta(seconds=number + after_s)).isoformat()
    return {"kind": "feedback", "at": at, "request_id": f"r{number}", "feedback": {"rating": rating}, **given}


def counted(records: list[Any], **rules: Any) -> Evidence:
    return count_records(records, policy(**rules), START, SPLITS)


def totals(records: list[Any], **rules: Any) -> tuple[ArmCounts, ArmCounts]:
    return counted(records, **rules).total()


def test_a_unit_counts_once_by_its_first_outcome():
    records = [exposure(1, unit="ann", status=500), exposure(2, unit="ann"), exposure(3, "b", unit="bob")]
    control, treatment = totals(records)
    assert (control.requests, control.units, control.successes, control.failures) == (2, 1, 0, 1)
    assert (treatment.requests, treatment.units, treatment.successes) == (1, 1, 1)
    control, _ = totals(records, unit="request")
    assert (control.units, control.successes, control.failures) == (2, 1, 1)


def test_the_outcome_that_was_known_first_counts_in_the_epoch_of_its_request():
    records = [
        exposure(1, "a", "ann"),
        exposure(2, "b", "ann", epoch=2),
        feedback(1, "down", after_s=90),
        feedback(2, "up", after_s=5),
    ]
    control, treatment = totals(records, primary=FEEDBACK)
    assert (control.units, control.values) == (1, 0)
    assert (treatment.units, treatment.successes) == (0, 1)
    assert [(each.number, each.share) for each in counted(records).epochs("a", "b")] == [(1, 0.1), (2, 0.5)]


@pytest.mark.parametrize(
    ("said", "counts"), [("up", (1, 0)), ("down", (0, 1)), (True, (0, 1)), (None, (0, 0)), ({"up": 1}, (0, 0))]
)
def test_feedback_is_a_success_a_failure_or_nothing(said: Any, counts: tuple[int, int]):
    control, _ = totals([exposure(1), feedback(1, said)], primary=FEEDBACK)
    assert (control.successes, control.failures) == counts


def test_feedback_in_a_request_of_its_own_is_joined_by_the_trace():
    own = feedback(1, "up", request_id="another", trace_id="t1", span_id="unknown")
    control, _ = totals([own, exposure(1)], primary=FEEDBACK)
    assert control.successes == 1


def test_a_request_that_brought_feedback_is_none_that_is_measured():
    """Through a gateway it has an exposure of its own, in the same trace."""
    turns = [exposure(n, trace_id="t", unit="ann") for n in (1, 2)]
    answers = [{"kind": "exchange", "request_id": f"r{n}", "trace_id": "t", "span_id": f"s{n}"} for n in (1, 2)]
    brought = exposure(9, "b", trace_id="t", unit="bob")
    said = feedback(9, "up", trace_id="t", span_id="s2")
    known = counted([*turns, *answers, brought, said], primary=FEEDBACK, unit="request")
    control, treatment = known.total()
    assert (control.requests, control.successes, treatment.requests) == (2, 1, 0)
    without_span = counted([turns[0], brought, feedback(9, "up", trace_id="t")], primary=FEEDBACK, unit="request")
    assert [each.requests for each in without_span.total()] == [1, 0]
    assert without_span.total()[0].successes == 1


def test_testers_do_not_count_and_a_fallback_is_a_failure_of_the_own_arm():
    control, treatment = totals([exposure(1, "b", chosen_by="override"), exposure(2, "a", chosen_by="fallback")])
    assert control.requests == 0
    assert (treatment.requests, treatment.failures, treatment.errors) == (1, 1, 1)
    _, treatment = totals([exposure(2, "a", chosen_by="fallback"), feedback(2, "up")], primary=FEEDBACK)
    assert (treatment.units, treatment.values) == (1, 0)


def test_what_another_arm_answered_counts_where_it_was_assigned():
    def instead(number: int, arm: str, assigned: str, **given: Any) -> dict[str, Any]:
        return exposure(number, arm, chosen_by="fallback", assigned=assigned, assigned_version=f"{assigned}:7", **given)

    records = [
        instead(1, "a", "b"),
        instead(2, "c", "b"),  # a third arm answered
        instead(3, "b", "c"),  # for a third arm, which is none of the two
        exposure(4, "a", assigned="a"),
    ]
    for rules in ({}, {"control": "a:7", "treatment": "b:7"}):
        control, treatment = totals([*records, exposure(5, "a", version="a:7")], **rules)
        assert (treatment.units, treatment.errors) == (2, 2)
        assert (control.units, control.errors) == (1 if rules else 2, 0)
    assert (treatment.latency, treatment.priced) == ({}, 0), "what the other arm's answer took is not its own"


def test_what_another_arms_answer_cost_and_was_judged_counts_for_nobody():
    said = [{"kind": "exchange", "request_id": "r1", "cost_usd": 9.0, "unsafe": True}]
    _, treatment = totals([exposure(1, "a", chosen_by="fallback", assigned="b"), *said])
    assert (treatment.looks, treatment.errors, treatment.priced, treatment.safety_judged) == (1, 1, 0, 0)


@pytest.mark.parametrize(
    ("status", "failures"), [(200, 0), (400, 1), (401, 0), (404, 0), (429, 1), (499, 0), (502, 1), (0, 1), (None, 1)]
)
def test_what_is_a_failure(status: int | None, failures: int):
    assert totals([exposure(1, status=status)])[0].failures == failures


def test_a_judge_and_a_number_and_a_covariate():
    score = {"kind": "judge", "request_id": "r1", "score": {"good": 4}, "before": 2.5}
    control, _ = totals([exposure(1), score], primary=PrimaryMetric("judge", "judge.score.good", at_least=4))
    assert control.successes == 1
    number = PrimaryMetric("field", "judge.score.good")
    control, _ = totals([exposure(1), score], primary=number, covariate="judge.before")
    assert (control.total, control.squares, control.paired, control.covariate_total, control.products) == (
        4,
        16,
        1,
        2.5,
        10,
    )


def test_numbers_of_a_unit_are_averaged_and_what_is_no_number_is_left_out():
    values = [1, 3, "5", float("nan"), 1e300, None]
    records = [exposure(place, unit="ann", score=value) for place, value in enumerate(values)]
    control, _ = totals(records, primary=PrimaryMetric("field", "exposure.score"))
    assert (control.values, control.total) == (1, 2)


def test_mirrors_other_experiments_arms_and_times_are_left_out():
    control, treatment = totals(
        [
            exposure(1, mirror=True),
            exposure(2, experiment="other"),
            exposure(3, arm="c"),
            exposure(4, at=(START - DAY).isoformat()),
            exposure(5, at="yesterday"),
            exposure(6),
            exposure(6),
        ]
    )
    assert (control.requests, treatment.requests) == (1, 0)


def test_arms_are_found_by_version_too():
    _, treatment = totals([exposure(1, arm="green", version="4")], control="3", treatment="4")
    assert treatment.requests == 1


def test_crossed_units_unknown_epochs_and_missing_units_are_told():
    nobody = exposure(5)
    del nobody["unit"]
    alone = exposure(6, unit_from="request")
    both = [exposure(1, "a", "ann"), exposure(2, "b", "ann")]
    known = counted([*both, exposure(3, epoch=9), nobody, alone, None, {"x": 1}])
    assert (known.crossed, known.unknown_epochs, known.without_unit, known.unreadable) == (1, (9,), 2, 2)


def test_epochs_are_told_by_records_or_by_time():
    late = exposure(1, at=(START + 2 * DAY).isoformat())
    del late["epoch"]
    assert [each.number for each in counted([late]).epochs("a", "b")] == [2]
    told = {"kind": "epoch", "epoch": 9, "at": START.isoformat(), "weights": {"a": 3, "b": 1}}
    known = counted([exposure(1, epoch=9), told])
    assert [(each.number, each.share) for each in known.epochs("a", "b")] == [(9, 0.25)]
    assert known.unknown_epochs == ()


def test_guardrails_look_at_each_unit_once_an_interval():
    rules = {"guardrails": (Guardrail("safety_fail_rate", 0.1, field="exchange.outputs.safe"),)}
    spent = [
        {"kind": "exchange", "request_id": f"r{n}", "cost_usd": 0.5, "error": None, "outputs": {"safe": n != 1}}
        for n in (1, 2, 400)
    ]
    records = [exposure(1, unit="ann", latency_s=9), exposure(2, unit="ann"), exposure(400, unit="ann"), *spent]
    control, _ = totals(records, **rules)
    assert (control.looks, control.priced, control.cost_usd, control.cost_squares) == (2, 2, 1.0, 0.5)
    assert (control.safety_judged, control.unsafe) == (2, 1)
    assert sum(control.latency.values()) == 2
    assert len(counted(records).slices) == 2


def test_what_failed_after_the_first_byte_failed():
    control, _ = totals([exposure(1), {"kind": "exchange", "request_id": "r1", "error": {"message": "cut off"}}])
    assert (control.failures, control.errors) == (1, 1)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIELDS = ("kind", "at", "request_id", "unit", "arm", "epoch", "status", "latency_s", "mirror", "feedback", "version")


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.dictionaries(st.sampled_from(FIELDS), JSON), max_size=4))
def test_no_record_breaks_the_counting(changes: list[dict[str, Any]]):
    records = [{**exposure(place), **change} for place, change in enumerate(changes)]
    records += [{**feedback(place, "up"), **change} for place, change in enumerate(changes)]
    counted(records, primary=FEEDBACK).epochs("a", "b")


def test_a_file_with_lines_that_are_no_records(tmp_path: Path):
    file = tmp_path / "records.jsonl"
    file.write_text(f"{json.dumps(exposure(1))}\n\nnot json\n[1]\n{'[' * 100_000}\n")
    source = EvidenceFiles((file,))
    known = source.read(policy(), START, SPLITS)
    assert (known.total()[0].requests, known.unreadable) == (1, 3)
    with pytest.raises(UserError):
        EvidenceFiles((tmp_path / "none.jsonl",)).read(policy(), START, SPLITS)


@pytest.mark.parametrize("nested", [1, 2])
def test_feedback_is_found_as_a_server_keeps_it_and_without_a_field_as_monitoring_reads_it(nested: int):
    """A server keeps the body below ``feedback``, once with ``?flatten=true`` and twice without."""

    def said(number: int, body: Any) -> dict[str, Any]:
        record = feedback(number, None)
        return {**record, "feedback": {"feedback": body} if nested == 2 else body}

    records = [exposure(number) for number in range(5)]
    records += [
        said(0, {"rating": "up"}),
        said(1, {"rating": "down"}),
        said(2, {"thumbs": "up"}),
        said(3, {"thumbs": 0}),
    ]
    by_field, _ = totals(records, primary=FEEDBACK)
    assert (by_field.successes, by_field.failures) == (1, 1)
    by_opinion, _ = totals(records, primary=PrimaryMetric("feedback"))
    assert (by_opinion.successes, by_opinion.failures, by_opinion.values) == (2, 2, 4)

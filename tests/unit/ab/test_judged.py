"""Scores of judges as a primary metric and as a guardrail."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from ab_helper import START, policy
from test_counting import SPLITS, exposure, totals

from flowyard.ab.decision.decide import decide
from flowyard.ab.decision.guardrails import check_guardrails
from flowyard.ab.evidence.counting import count_records
from flowyard.ab.policy.file import find_policy
from flowyard.ab.policy.model import AbPolicy, Guardrail, PrimaryMetric
from flowyard.errors import UserError

GOOD = PrimaryMetric("judge", "judgement.quality.v2.score", at_least=4)
LOW = Guardrail("judge_fail_rate", most=0.2, field="judgement.quality.score", at_least=3)


def judgement(number: int, after_s: float = 60, **by: Any) -> dict[str, Any]:
    at = (START + timedelta(seconds=number + after_s)).isoformat()
    said = {name.replace("__", "."): {"at": at, "outputs": outputs} for name, outputs in by.items()}
    return {"kind": "judgement", "at": at, "request_id": f"r{number}", "by": said}


def test_only_what_was_judged_has_an_outcome():
    records = [exposure(number, "ab"[number % 2]) for number in range(6)]
    records += [judgement(0, quality__v2={"score": 5}, quality={"v2.score": 1})]  # the longest name of an evaluator
    records += [judgement(1, quality__v2={"score": 2}), judgement(2, quality__v2={"score": "high"})]
    control, treatment = totals(records, primary=GOOD)
    assert (control.units, control.values, control.successes) == (3, 1, 1)
    assert (treatment.units, treatment.values, treatment.failures) == (3, 1, 1)
    mean = PrimaryMetric("field", "judgement.quality.v2.score")
    assert [each.total for each in totals(records, primary=mean)] == [5.0, 2.0]
    inner = PrimaryMetric("field", "judgement.quality.output.score")
    nested = [exposure(1), judgement(1, quality={"output": {"score": 3}})]
    assert totals(nested, primary=inner)[0].total == 3.0


def test_the_answer_of_another_arm_is_no_outcome():
    records = [exposure(1, "b", chosen_by="fallback"), judgement(1, quality={"score": 1}, quality__v2={"score": 1})]
    for arm in totals(records, primary=GOOD, guardrails=(LOW,)):
        assert (arm.values, arm.judged) == (0, 0)


def test_low_scores_count_when_they_were_given():
    records = [exposure(number, "b") for number in range(40)]
    records += [judgement(number, after_s=3600, quality={"score": 1 if number < 30 else 5}) for number in range(40)]
    rules = policy(guardrails=(LOW,), interval=timedelta(minutes=5))
    found = count_records(records, rules, START, SPLITS)
    assert [(each.treatment.looks, each.treatment.judged) for each in found.slices] == [(40, 0), (0, 40)]
    (finding,) = check_guardrails(rules, found)
    assert (finding.treatment, finding.breached) == (0.75, True)


@pytest.mark.parametrize("rate", [0.1, 0.4])
def test_a_control_that_fails_more_often_makes_the_treatment_no_worse(rate: float):
    """Half of the control's answers are failures, which nobody judges: what is judged is mostly the treatment's."""
    equal = Guardrail("judge_fail_rate", most_times_control=1.2, field="judgement.quality.score", at_least=3)
    rules = policy(guardrails=(equal,), interval=timedelta(minutes=5))

    def breached(treatment_rate: float) -> bool:
        records: list[dict[str, Any]] = []
        for number in range(2000):
            arm = "ab"[number % 2]
            records.append(exposure(number, arm))
            if arm == "b" or number % 4:
                low = (number // 4) % 100 < 100 * (rate if arm == "a" else treatment_rate)
                records.append(judgement(number, quality={"score": 1 if low else 5}))
        (finding,) = check_guardrails(rules, count_records(records, rules, START, SPLITS))
        return finding.breached

    assert not breached(rate)
    assert breached(min(1.0, rate * 2.5))


WHOLE = """\
name: t
arms: {control: a, treatment: b}
primary: {metric: judge, judge: {evaluator: quality, field: score}, at_least: 4}
guardrails:
  - {metric: judge_fail_rate, judge: {evaluator: tone, field: polite}, at_least: 1, most: 0.1}
  - {metric: safety_fail_rate, judge: {evaluator: safety, field: is_safe}, most: 0.01}
"""


def read(tmp_path: Path, text: str) -> AbPolicy:
    (tmp_path / "ab.yaml").write_text(text)
    return find_policy(tmp_path)


def test_a_policy_names_evaluators(tmp_path: Path):
    found = read(tmp_path, WHOLE)
    assert found.primary == PrimaryMetric("judge", "judgement.quality.score", at_least=4)
    assert found.primary.label == "judge quality.score"
    assert [each.field for each in found.guardrails] == ["judgement.tone.polite", "judgement.safety.is_safe"]
    assert read(tmp_path, WHOLE.replace("metric: judge,", "metric: field,").replace(", at_least: 4", "")).primary == (
        PrimaryMetric("field", "judgement.quality.score")
    )


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            "metric: judge,",
            "metric: feedback,",
            "ab.yaml:3: 'judge' stands in the place of 'field', for judge and field.",
        ),
        ("judge: {evaluator: quality, field: score}, ", "", "ab.yaml:3: judge needs a judge."),
        ("judge: {", "field: feedback.x, judge: {", "ab.yaml:3: 'judge' stands in the place of 'field'"),
        ("field: score}", "feld: score}", "Unknown key 'primary.judge.feld'.\n    Did you mean 'field'?"),
        ("at_least: 1, ", "", "ab.yaml:5: judge_fail_rate needs 'judge' and 'at_least'."),
        ("most: 0.01", "most: 0.01, at_least: 1", "ab.yaml:6: Only judge_fail_rate takes 'at_least'."),
        ("most: 0.1}", "most: 1.5}", "ab.yaml:5: A rate's limit is below 1."),
        ("metric: safety_fail_rate", "metric: error_rate", "safety_fail_rate, and it alone, needs a field or a judge."),
    ],
)
def test_each_mistake_has_its_line(tmp_path: Path, before: str, after: str, said: str):
    assert before in WHOLE
    with pytest.raises(UserError) as raised:
        read(tmp_path, WHOLE.replace(before, after, 1))
    assert said in raised.value.message


def test_what_a_simulated_model_said_is_counted():
    records = [exposure(number, "ab"[number % 2]) for number in range(4)]
    records += [{"kind": "exchange", "request_id": "r0", "at": START.isoformat(), "simulated": True}]
    records += [{"kind": "exchange", "request_id": "r1", "at": START.isoformat()}]
    judged = judgement(1, quality={"score": 5})
    judged["by"]["quality"]["simulated"] = True
    found = count_records([*records, judged, judgement(2, quality={"score": 5})], policy(), START, SPLITS)
    assert found.simulated == 2
    assert decide(policy(), found, since=START, now=START).simulated == 2

"""``ab.yaml``: what may be in it, and every mistake with its line."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from flowyard.ab.policy.file import find_policy
from flowyard.ab.policy.model import AbPolicy, Guardrail, PrimaryMetric, RampStep, SplitPlace
from flowyard.errors import NotFound, UserError

WHOLE = """\
name: math-b
experiment: math
arms: {control: "3", treatment: "4"}
unit: session
primary: {metric: feedback, field: feedback.rating, success: [up, true], expected: 0.7, smallest: 0.05}
guardrails:
  - {metric: error_rate, most: 0.05, most_times_control: 1.5}
  - {metric: safety_fail_rate, most: 0.01, field: exchange.outputs.safe}
alpha: 0.01
min_duration: 7d
max_duration: 21d
min_sample: 500
decide: auto
ramp: [1, {share: 10, min_duration: 1h, min_sample: 200}, 50, 100]
covariate: exchange.inputs.before
interval: 1m
split: {gateway: "http://127.0.0.1:8901", key: "${GATEWAY_KEY}"}
"""
PRIMARY = "metric: feedback, field: feedback.rating, success: [up, true], expected: 0.7, smallest: 0.05"


def read(tmp_path: Path, text: str) -> AbPolicy:
    (tmp_path / "ab.yaml").write_text(text)
    return find_policy(tmp_path)


def problems(tmp_path: Path, text: str) -> str:
    with pytest.raises(UserError) as raised:
        read(tmp_path, text)
    return raised.value.message


def test_a_whole_policy(tmp_path: Path):
    assert read(tmp_path, WHOLE) == AbPolicy(
        name="math-b",
        experiment="math",
        control="3",
        treatment="4",
        unit="session",
        primary=PrimaryMetric("feedback", "feedback.rating", ("up", True), expected=0.7, smallest=0.05),
        guardrails=(
            Guardrail("error_rate", 0.05, 1.5),
            Guardrail("safety_fail_rate", 0.01, field="exchange.outputs.safe"),
        ),
        alpha=0.01,
        min_duration=timedelta(days=7),
        max_duration=timedelta(days=21),
        min_sample=500,
        decide="auto",
        ramp=(RampStep(1), RampStep(10, timedelta(hours=1), 200), RampStep(50)),
        covariate="exchange.inputs.before",
        interval=timedelta(minutes=1),
        split=SplitPlace("http://127.0.0.1:8901", "${GATEWAY_KEY}"),
    )


def test_little_is_enough_and_asks_people(tmp_path: Path):
    found = read(tmp_path, "name: t\narms: {control: a, treatment: b}\nprimary: {metric: no_error}\n")
    assert found.decide == "approval"
    assert found.experiment == "t"
    assert [step.share for step in found.ramp] == [1, 5, 25, 50]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("unit: session", "unti: session", "ab.yaml:4: Unknown key 'unti'.\n    Did you mean 'unit'?"),
        ("unit: session", "unit: person", "ab.yaml:4: unit: input should be 'user', 'session' or 'request'."),
        ('treatment: "4"', 'treatment: "3"', "ab.yaml:3: Control and treatment are the same."),
        ('treatment: "4"', "treatment: 4", "ab.yaml:3: arms.treatment: input should be a valid string."),
        ("field: feedback.rating, ", "", "ab.yaml:5: feedback needs a field."),
        ("feedback.rating", "rating", "write the kind of record and its keys"),
        (", success: [up, true]", "", "ab.yaml:5: feedback needs either success or at_least."),
        ("metric: feedback", "metric: judge", "ab.yaml:5: judge needs the score that is enough."),
        ("metric: feedback", "metric: field", "A field is a number as it is"),
        ("metric: feedback", "metric: no_error", "no_error takes no field"),
        ("expected: 0.7", "expected: 7", "expected is a share between 0 and 1."),
        ("expected: 0.7", "direction: lower", "ab.yaml:5: More successes are better"),
        ("expected: 0.7", "bounds: [1, 5]", "ab.yaml:5: Yes and no have no bounds"),
        (PRIMARY, "metric: field, field: j.s, bounds: [5, 1]", "ab.yaml:5: The first bound is below the second."),
        (PRIMARY, "metric: field, field: j.s, bounds: [1]", "primary.bounds: list should have at least 2 items"),
        (PRIMARY, "metric: field, field: j.s, bounds: [1, 5], expected: 6", "expected lies between the bounds."),
        (PRIMARY, "metric: field, field: j.s, bounds: [1, 5]", "A covariate adjusts means, which need no bounds."),
        ("most: 0.05, most_times_control: 1.5", "most: 5", "ab.yaml:7: A rate's limit is below 1."),
        ("most: 0.05, most_times_control: 1.5", "", "ab.yaml:7: error_rate has no limit."),
        (", field: exchange.outputs.safe", "", "ab.yaml:8: safety_fail_rate, and it alone, needs a field or a judge."),
        ("safety_fail_rate", "error_rate", "error_rate is there twice."),
        ("most: 0.01", "mots: 0.01", "Unknown key 'guardrails.1.mots'.\n    Did you mean 'most'?"),
        ("alpha: 0.01", "alpha: 5", "ab.yaml:9: alpha: input should be less than 0.5."),
        ("7d", "7", "ab.yaml:10: min_duration: a duration has a unit"),
        ("21d", "3d", "ab.yaml:11: max_duration has to be longer than min_duration."),
        ("ramp: [1, ", "ramp: [20, ", "ab.yaml:14: 10 % does not come after 20 %: a ramp only rises."),
        ("ramp: [1, ", "ramp: [0, ", "ab.yaml:14: ramp.0.share: input should be greater than or equal to 1."),
        ("min_sample: 200}", "sample: 200}", "Unknown key 'ramp.1.sample'."),
        ("http://127.0.0.1:8901", "http://u:secret@127.0.0.1", "write the control address"),
        ("${GATEWAY_KEY}", "abc123", "a key is no part of a file"),
        (', key: "${GATEWAY_KEY}"', "", "ab.yaml:17: A gateway wants a key."),
        ("split: {", "split: {file: x, ", "Give one of the split's 'gateway', 'file' and 'deployment'."),
        ("decide: auto", "decide: auto\ndecide: approval", "'decide' is given twice"),
        ("name: math-b", "name: ../b", "a name has letters, digits"),
    ],
)
def test_each_mistake_has_its_line(tmp_path: Path, before: str, after: str, said: str):
    assert before in WHOLE
    assert said in problems(tmp_path, WHOLE.replace(before, after, 1))


def test_a_ramp_of_everything_and_all_mistakes_at_once(tmp_path: Path):
    text = "name: t\narms: {control: a, treatment: a}\nprimary: {metric: no_error}\nramp: [100]\n"
    found = problems(tmp_path, text)
    assert "ab.yaml:2: Control and treatment are the same." in found
    assert "ab.yaml:4: With all requests there is nothing to compare." in found


def test_a_secret_that_stands_in_the_file_is_not_repeated(tmp_path: Path):
    assert "topsecret" not in problems(tmp_path, WHOLE.replace("${GATEWAY_KEY}", "topsecret"))


@pytest.mark.parametrize("text", ["", "[]", "just text", "name: t\nramp: {1: 2}\n", "guardrails: [1]\n"])
def test_what_is_no_policy_is_refused(tmp_path: Path, text: str):
    assert "cannot be used" in problems(tmp_path, text)


def test_a_use_case_without_one(tmp_path: Path):
    with pytest.raises(NotFound):
        find_policy(tmp_path)


def test_the_example_of_the_page(tmp_path: Path):
    page = (Path(__file__).resolve().parents[3] / "docs" / "ab.md").read_text("utf-8")
    found = read(tmp_path, page.split("```yaml\n", 1)[1].split("```", 1)[0])
    assert found.name == "greeting"
    assert found.ramp[1] == RampStep(5, timedelta(hours=1), 100)

"""Golden cases, and the numbers of a load."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowyard.deploy.endpoint_test.carry_out import percentiles
from flowyard.deploy.endpoint_test.golden import read_golden
from flowyard.errors import UserError


def write(folder: Path, text: str) -> Path:
    file = folder / "golden.yaml"
    file.write_text(text)
    return file


def test_what_is_expected_of_an_answer(tmp_path: Path):
    text = """\
cases:
  - name: refund
    request: {text: money back}
    expect:
      - {type: exact_match, output: category, ground_truth: billing, ignore_case: true}
      - {type: contains, output: reply, expected: refund}
      - {type: f1, output: reply, ground_truth: your refund, at_least: 0.5}
"""
    (case,) = read_golden(write(tmp_path, text))
    good = {"category": "Billing", "reply": "your refund comes"}
    assert [each.problem(good) for each in case.expect] == [None, None, None]
    problems = [each.problem({"category": "other", "reply": "no"}) for each in case.expect]
    assert all(problems)
    assert "at least 0.5" in str(problems[2])
    assert "no output 'reply'" in str(case.expect[1].problem({}))


def test_every_problem_is_told_with_its_line(tmp_path: Path):
    text = """\
cases:
  - request: {x: 1}
    expect: [{type: exact_macth}]
  - {request: {x: 1}}
  - request: {x: 1}
    expect:
      - {type: contains, expectd: a}
      - {type: f1, ground_truth: a}
      - {type: exact_match}
"""
    with pytest.raises(UserError) as caught:
        read_golden(write(tmp_path, text))
    for said in ("Did you mean 'exact_match'?", "golden.yaml:4", "'expected'?", "needs a bound", "'ground_truth'"):
        assert said in caught.value.message


@pytest.mark.parametrize("text", ["", "[]", "cases: []", "cases: {}", "case: [{}]"])
def test_what_has_no_cases(tmp_path: Path, text: str):
    with pytest.raises(UserError, match="no golden cases"):
        read_golden(write(tmp_path, text))


@given(st.lists(st.floats(0.1, 1e6), min_size=1))
def test_percentiles_occurred_and_rise(latencies: list[float]):
    found = percentiles(latencies)
    assert found["p50"] <= found["p95"] <= found["p99"] <= found["max"]
    assert set(found.values()) <= {round(each, 1) for each in latencies}
    assert percentiles([]) == {}

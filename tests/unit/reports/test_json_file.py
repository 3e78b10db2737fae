"""The JSON report: valid for every parser, and what it says of the differences comes back from it."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from evidence_helper import ACCURACY, add_version, evidence_of, gate
from hypothesis import given
from hypothesis import strategies as st

from flowyard._util.typed_json import from_plain, to_plain
from flowyard.decisions.model import Difference, Estimate, Evidence, GateResult, Interval, Metric, Scores
from flowyard.records import LineResult
from flowyard.reports import write_reports
from flowyard.reports.json_file import read_evidence

if TYPE_CHECKING:
    from tests.unit.reports.conftest import Lab

EVIDENCE = st.builds(
    Evidence,
    metrics=st.lists(st.builds(Metric, name=st.text(), low=st.none() | st.floats()), max_size=2).map(tuple),
    scores=st.lists(
        st.builds(
            Scores,
            metric=st.just(ACCURACY),
            lines=st.lists(st.integers(), max_size=3),
            values=st.dictionaries(st.text(), st.lists(st.floats(), max_size=3), max_size=2),
            failed=st.dictionaries(st.text(), st.frozensets(st.integers(), max_size=3), max_size=2),
        ),
        max_size=2,
    ).map(tuple),
    estimates=st.lists(st.builds(Estimate, metric=st.just(ACCURACY)), max_size=2).map(tuple),
    differences=st.lists(st.builds(Difference, metric=st.just(ACCURACY)), max_size=2).map(tuple),
    gates=st.lists(st.builds(GateResult, interval=st.none() | st.builds(Interval)), max_size=2).map(tuple),
    verdict=st.none() | st.sampled_from(["pass", "fail", "inconclusive"]),
    baseline=st.none() | st.text(),
    pareto=st.dictionaries(st.text(), st.lists(st.text(), max_size=2).map(tuple), max_size=2),
)


def strict(text: str) -> Any:
    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


@given(EVIDENCE)
def test_evidence_comes_back(evidence: Evidence) -> None:
    plain = to_plain(evidence)
    again = from_plain(Evidence, strict(json.dumps(plain)))
    assert to_plain(again) == plain
    assert isinstance(again, Evidence)
    assert all(isinstance(each.failed[name], frozenset) for each in again.scores for name in each.failed)


def test_no_value_is_null_and_the_infinities_come_back() -> None:
    assert to_plain([math.nan, math.inf, -math.inf, 1.5]) == [None, "inf", "-inf", 1.5]
    assert from_plain(list[float], ["inf", "-inf", 1]) == [math.inf, -math.inf, 1.0]
    back = from_plain(Interval, to_plain(Interval(-math.inf, math.inf, 0.95, "m")))
    assert (back.low, back.high) == (-math.inf, math.inf)


@dataclass(frozen=True)
class Sample:
    name: str
    size: int = 3


def test_older_and_newer_files_can_be_read() -> None:
    assert from_plain(Sample, {"name": "a", "new": 1}) == Sample("a")


@pytest.mark.parametrize("value", [{}, [], None, "a", {"name": 1}, {"name": "a", "size": "b"}])
def test_what_cannot_be_of_the_type_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="no Sample"):
        from_plain(Sample, value)


def test_the_file_has_everything_and_no_nan(lab: Lab, tmp_path: Path) -> None:
    add_version(lab, "a", failed=2)
    lab.evaluation("odd", lab.variant("b", [LineResult(0, "completed", {}, {})]), [], nan=math.nan, inf=math.inf)
    evidence = evidence_of("classify=a", "classify=b", gates=[gate("fail")], verdict="fail")
    (path,) = write_reports(lab.experiment, evidence, tmp_path, ["json"])["json"]
    found = strict(path.read_text(encoding="utf-8"))
    assert (found["format"], found["title"], found["key"], found["verdict"]) == (1, "triage", "triage-1", "fail")
    first, second = found["datasets"][0]["versions"]
    assert (first["version"], first["lines"]["failed"], first["metrics"]) == ("classify=a", 2, {"grade.accuracy": 0.5})
    assert second["metrics"] == {"odd.nan": None, "odd.inf": "inf"}
    assert found["datasets"][0]["failures"][0]["first_line_numbers"] == [3, 4]
    assert found["evidence"]["gates"][0]["verdict"] == "fail"
    assert to_plain(read_evidence(tmp_path)) == to_plain(evidence)


def test_without_evidence_there_is_none_to_read(lab: Lab, tmp_path: Path) -> None:
    assert read_evidence(tmp_path) is None
    write_reports(lab.experiment, None, tmp_path, ["json"])
    assert read_evidence(tmp_path) is None


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 99}', '{"format": 1, "evidence": {"metrics": 3}}'])
def test_a_damaged_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(ValueError, match=r"."):
        read_evidence(tmp_path)

"""JUnit XML: cases and counts as CI systems read them, and any text survives a parser."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest
from evidence_helper import add_version, evidence_of, gate
from hypothesis import given
from hypothesis import strategies as st

from flowyard.decisions.model import Evidence
from flowyard.records import ErrorRecord, LineResult
from flowyard.reports import summarize
from flowyard.reports.junit import render_junit, xml_text

if TYPE_CHECKING:
    from tests.unit.reports.conftest import Lab

CHILDREN: dict[str, list[str]] = {
    "testsuites": ["testsuite"],
    "testsuite": ["properties", "testcase", "system-out", "system-err"],
    "properties": ["property"],
    "testcase": ["skipped", "error", "failure", "system-out", "system-err"],
}
"""Which elements the schema of Jenkins has below which, in their order."""
ATTRIBUTES = {
    "testsuites": {"name", "tests", "failures", "errors", "skipped", "time"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname"},
    "testcase": {"name", "classname", "time"},
    "property": {"name", "value"},
    "failure": {"message", "type"},
    "error": {"message", "type"},
    "skipped": {"message"},
}


def parsed(lab: Lab, evidence: Evidence | None = None) -> ElementTree.Element:
    root = ElementTree.fromstring(render_junit(lab.comparison, summarize(lab.comparison), evidence))
    require_shape(root)
    return root


def require_shape(element: ElementTree.Element) -> None:
    allowed = CHILDREN.get(element.tag, [])
    places = [allowed.index(child.tag) for child in element]
    assert places == sorted(places)
    assert set(element.attrib) == ATTRIBUTES.get(element.tag, set())
    if element.tag in ("testsuites", "testsuite"):
        cases = list(element.iter("testcase"))
        for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(element.attrib[name]) == sum(case.find(tag) is not None for case in cases)
        assert int(element.attrib["tests"]) == len(cases)
        assert float(element.attrib["time"]) >= 0
    for child in element:
        require_shape(child)


def outcomes(root: ElementTree.Element) -> dict[str, str]:
    return {
        case.attrib["name"]: next((child.tag for child in case if child.tag != "system-out"), "passed")
        for case in root.iter("testcase")
    }


@pytest.mark.parametrize(("policy", "undecided"), [("fail", "failure"), ("pass", "skipped")])
def test_each_gate_is_a_case(lab: Lab, policy: Any, undecided: str) -> None:
    add_version(lab, "a")
    gates = [gate("pass", "p"), gate("fail", "f", where="experiment.yaml:9"), gate("inconclusive", "i", dataset="d")]
    root = parsed(lab, evidence_of("classify=a", gates=gates, verdict="fail", inconclusive=policy))
    assert outcomes(root) == {
        "p": "passed",
        "f": "failure",
        "i · d": undecided,
        "classify=a": "passed",
        "classify=a · grade": "passed",
    }
    failure = root.find(".//failure")
    assert failure is not None
    assert failure.text == "accuracy is 0.5, so f fails\nexperiment.yaml:9"
    properties = {each.attrib["name"]: each.attrib["value"] for each in root.iter("property")}
    assert properties == {
        "experiment": "triage", "key": "triage-1", "env": "dev", "verdict": "fail", "baseline": "classify=a"
    }  # fmt: skip


def test_failed_lines_are_the_text_of_a_failure(lab: Lab) -> None:
    add_version(lab, "a", failed=60)
    failure = parsed(lab).find(".//failure")
    assert failure is not None
    assert failure.attrib["message"] == "60 lines of 63 failed."
    lines = (failure.text or "").splitlines()
    assert lines[0] == "line 3: ProviderError: The model is too busy."
    assert lines[50:] == ["… and 10 more lines"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"status": "canceled"}, "The run is canceled."),
        ({"errors": (ErrorRecord("ZeroDivisionError", "in aggregation"),)}, "ZeroDivisionError: in aggregation"),
    ],
)
def test_a_run_that_did_not_end_well_is_an_error(lab: Lab, more: dict[str, Any], message: str) -> None:
    lines = [LineResult(0, "completed", {}, {})]
    lab.variant("a", lines)
    lab.runs.append(replace(lab.runs.pop(), **more))
    error = parsed(lab).find(".//error")
    assert error is not None
    assert error.attrib["message"] == message


def test_without_runs_it_is_valid(lab: Lab) -> None:
    assert parsed(lab).attrib["tests"] == "0"


@given(st.text())
def test_any_text_survives_a_parser(text: str) -> None:
    element = ElementTree.Element("case", name=xml_text(text))
    element.text = xml_text(text)
    again = ElementTree.fromstring(ElementTree.tostring(element, encoding="utf-8"))
    assert (again.text or "") == xml_text(text)
    assert again.attrib["name"] == xml_text(text)
    assert not any(letter < " " and letter not in "\t\n" for letter in xml_text(text))


def test_hostile_names_are_text(lab: Lab) -> None:
    hostile = "]]><evil a='\x1b[31m\x00\ud800\ufffe\"&lt;"
    name = lab.variant("a", [LineResult(0, "failed", {}, {}, ErrorRecord(hostile, hostile))], dataset=hostile)
    lab.variants[name] = {hostile: hostile}
    lab.evaluation(hostile, name, [], **{hostile: float("nan")})
    root = parsed(lab, evidence_of(hostile, gates=[gate("fail", hostile)], verdict="fail"))
    assert root.find(".//evil") is None
    assert xml_text(hostile) in outcomes(root)

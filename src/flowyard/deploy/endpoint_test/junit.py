"""The report of an endpoint test as JUnit XML, which GitHub Actions, Azure DevOps and Jenkins show."""

from __future__ import annotations

from typing import Any

from flowyard.deploy.endpoint_test.model import EndpointReport
from flowyard.reports.junit import xml_text

__all__ = ["render_junit"]

_OUTCOMES = {"failed": "failure", "unreached": "error"}


def render_junit(report: EndpointReport) -> bytes:
    """The document in UTF-8: a suite with a case for each check, latencies as its properties."""
    from xml.etree import ElementTree  # noqa: PLC0415 - only this form needs it

    states = [check.state for check in report.checks]
    counts = {"tests": len(states), "failures": states.count("failed"), "errors": states.count("unreached")}
    facts: dict[str, Any] = {name: str(count) for name, count in counts.items()}
    root = ElementTree.Element("testsuites", name="endpoint test", **facts)
    name = xml_text(f"{report.suite} of {report.endpoint}")
    suite = ElementTree.SubElement(root, "testsuite", name=name, **facts)
    properties = ElementTree.SubElement(suite, "properties")
    for key, value in report.latency_ms.items():
        ElementTree.SubElement(properties, "property", name=f"latency_{key}_ms", value=f"{value:g}")
    for check in report.checks:
        case = ElementTree.SubElement(
            suite, "testcase", name=xml_text(check.name), classname=name, time=f"{check.duration_s:.3f}"
        )
        if check.state in _OUTCOMES:
            message = xml_text(check.message)
            ElementTree.SubElement(case, _OUTCOMES[check.state], message=message.splitlines()[0]).text = message
    ElementTree.indent(root)
    document: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"

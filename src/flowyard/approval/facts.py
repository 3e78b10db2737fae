"""What people decide on, read from the report of a request: the same for the terminal, messages and the page.

A report is what a command, a script or a CI system put together, so whatever has another shape is left out, and nothing
in it is trusted to be more than text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from flowyard.reports.values import is_ranked, metric_text, signed_text

__all__ = ["UNKNOWN", "Facts", "GateFact", "MetricFact", "read_facts"]

UNKNOWN = metric_text(None)
"""What stands for a metric that is not there."""

_VERDICTS = ("pass", "fail", "inconclusive")
_MOST = 200
"""Metrics, and gates, that are shown; a report has at most 1 MB."""
_MOST_LINKS = 10
_LONGEST_URL = 1000


@dataclass(frozen=True, slots=True)
class MetricFact:
    """One metric of the version, beside that of what serves now; ``trend`` is better, worse, same or unknown."""

    name: str
    value: str
    serving: str
    change: str
    trend: str


@dataclass(frozen=True, slots=True)
class GateFact:
    """What one gate said."""

    gate: str
    verdict: str
    reason: str


@dataclass(frozen=True, slots=True)
class Facts:
    """``serving`` names what serves now, None when nothing is known to; ``links`` are (label, http or https URL), where
    the label ends with the host."""

    verdict: str | None
    metrics: Sequence[MetricFact]
    gates: Sequence[GateFact]
    serving: str | None
    links: Sequence[tuple[str, str]]
    warnings: Sequence[str]


def read_facts(report: Mapping[str, Any]) -> Facts:
    """The facts of a report, whose form is in ``report.py``."""
    serving = _mapping(report.get("serving"))
    verdict = report.get("verdict")
    return Facts(
        verdict if verdict in _VERDICTS else None,
        list(_metrics(_mapping(report.get("metrics")), _mapping(serving.get("metrics"))))[:_MOST],
        list(_gates(report.get("gates")))[:_MOST],
        str(serving["label"]) if serving.get("label") else None,
        list(_links(report.get("links")))[:_MOST_LINKS],
        list(_warnings(report))[:_MOST],
    )


def _metrics(metrics: Mapping[str, Any], serving: Mapping[str, Any]) -> Iterator[MetricFact]:
    for name in dict.fromkeys([*metrics, *serving]):
        told = metrics.get(name)
        value, before = _value(told), _value(serving.get(name))
        change = value - before if is_ranked(value) and is_ranked(before) else None
        better = _mapping(told).get("higher_is_better")
        yield MetricFact(
            str(name),
            _text(value) + _interval(told),
            _text(before),
            "" if change is None else signed_text(change),
            _trend(change, better if isinstance(better, bool) else None),
        )


def _text(value: Any) -> str:
    try:
        is_count = isinstance(value, float) and abs(value) >= 1000 and value.is_integer()
        return metric_text(int(value) if is_count else value)
    except OverflowError:  # JSON has integers of any size
        return "too large to show"


def _trend(change: float | None, higher_is_better: bool | None) -> str:
    if change is None or higher_is_better is None:
        return "unknown"
    return "same" if change == 0 else "better" if (change > 0) is higher_is_better else "worse"


def _value(told: Any) -> Any:
    return told.get("value") if isinstance(told, Mapping) else told


def _interval(told: Any) -> str:
    low, high = (_mapping(told).get(end) for end in ("low", "high"))
    return f" ({metric_text(low)} to {metric_text(high)})" if is_ranked(low) and is_ranked(high) else ""


def _gates(gates: Any) -> Iterator[GateFact]:
    for each in map(_mapping, _list(gates)):
        verdict = each.get("verdict")
        if "gate" in each:
            yield GateFact(
                str(each["gate"]), verdict if verdict in _VERDICTS else "inconclusive", str(each.get("reason") or "")
            )


def _warnings(report: Mapping[str, Any]) -> Iterator[str]:
    if report.get("simulated"):
        yield "The answers came from a simulated model."
    yield from (text for text in _list(report.get("warnings")) if isinstance(text, str))


def _links(links: Any) -> Iterator[tuple[str, str]]:
    for each in map(_mapping, _list(links)):
        url = each.get("url")
        if isinstance(url, str) and _is_web(url):
            # The place, because any label can be written: also that of the link on which people answer.
            yield f"{each.get('label') or 'More'} ({urlsplit(url).hostname})", url


def _is_web(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    fits = len(url) <= _LONGEST_URL and url.isprintable() and " " not in url
    return fits and parts.scheme in ("http", "https") and bool(parts.hostname)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()

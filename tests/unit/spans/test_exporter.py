"""Sending spans: patience, limits, and what is said of those that are lost."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from span_collector import span_collector

from flowyard.spans import Exporter, Failure, Span
from flowyard.spans.app_insights import ApplicationInsights
from flowyard.spans.destination import Otlp

QUICK = {"gather_s": 0.0, "first_wait_s": 0.01}


def span(name: str = "work", failure: Failure | None = None) -> Span:
    return Span("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", None, name, "internal", 1, 2, {"a": 1}, failure)


def otlp(url: str, **more: Any) -> Otlp:
    return Otlp(f"{url}/v1/traces", more.pop("headers", {}), 10.0, {"service.name": "s"}, **more)


def insights(url: str) -> ApplicationInsights:
    return ApplicationInsights(f"InstrumentationKey=k;IngestionEndpoint={url}", 10.0, {"service.name": "s"})


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_endpoint_is_asked_again(status: int):
    busy = (status, {"Retry-After": "0"}, b"")
    with span_collector(lambda number, body: busy if number < 3 else None) as collector:
        exporter = Exporter(otlp(collector.url), **QUICK)
        exporter.put(lambda: [span()], 1)
        collector.wait(lambda: len(collector.bodies) == 3)
        exporter.close()
    assert (exporter.sent, exporter.dropped) == (1, 0)


def test_an_endpoint_that_stays_busy_is_given_up(capsys: pytest.CaptureFixture[str]):
    with span_collector(lambda number, body: (429, {"Retry-After": "0"}, b"")) as collector:
        exporter = Exporter(otlp(collector.url, headers={"x-key": "s3cret"}), **QUICK)
        exporter.put(lambda: [span(), span()], 2)
        collector.wait(lambda: len(collector.bodies) == 6)
        exporter.close()
        assert len(collector.bodies) == 6
    assert (exporter.sent, exporter.dropped) == (0, 2)
    assert capsys.readouterr().err == f"Spans for {collector.url} are dropped: it answered 429\n"


def test_what_is_refused_is_not_sent_again():
    with span_collector(lambda number, body: (400, {}, b"") if number == 1 else None) as collector:
        exporter = Exporter(otlp(collector.url), **QUICK)
        exporter.put(lambda: [span()], 1)
        collector.wait(lambda: len(collector.bodies) == 1)
        exporter.put(lambda: [span()], 1)
        exporter.close()
    assert (exporter.sent, exporter.dropped) == (1, 1)


def test_a_full_queue_drops_and_never_waits():
    is_asked, may_answer = threading.Event(), threading.Event()

    def behave(number: int, _body: Any) -> None:
        is_asked.set()
        assert may_answer.wait(120)

    with span_collector(behave) as collector:
        exporter = Exporter(otlp(collector.url), most_waiting=2, **QUICK)
        exporter.put(lambda: [span()], 1)
        assert is_asked.wait(120)
        for _ in range(5):
            exporter.put(lambda: [span()], 1)
        assert exporter.dropped == 3
        may_answer.set()
        exporter.close()
    assert (exporter.sent, exporter.dropped) == (3, 3)


def test_closing_sends_what_waits_and_gives_up_in_time():
    with span_collector() as collector:
        exporter = Exporter(otlp(collector.url), gather_s=3600)
        exporter.put(lambda: [span()], 1)
        exporter.close()
        exporter.close()
    assert exporter.sent == len(collector.spans) == 1
    with span_collector(lambda number, body: (503, {"Retry-After": "3600"}, b"")) as collector:
        exporter = Exporter(otlp(collector.url), gather_s=3600, first_wait_s=0.01, flush_s=0.5)
        exporter.put(lambda: [span()], 1)
        exporter.close()
    assert (exporter.sent, exporter.dropped) == (0, 1)


def test_spans_that_cannot_be_made_cost_only_themselves():
    def broken() -> Sequence[Span]:
        raise ValueError("no")

    with span_collector() as collector:
        exporter = Exporter(otlp(collector.url), **QUICK)
        exporter.put(broken, 3)
        exporter.put(lambda: [span()], 1)
        exporter.close()
    assert (exporter.sent, exporter.dropped) == (1, 3)


def test_a_collector_says_how_many_it_did_not_take():
    answer = json.dumps({"partialSuccess": {"rejectedSpans": "1", "errorMessage": "too long"}}).encode()
    with span_collector(lambda number, body: (200, {}, answer)) as collector:
        exporter = Exporter(otlp(collector.url, as_json=True), **QUICK)
        exporter.put(lambda: [span(), span()], 2)
        exporter.close()
    assert (exporter.sent, exporter.dropped) == (1, 1)


def test_application_insights_takes_a_part_and_the_rest_again():
    errors = [{"index": 1, "statusCode": 500, "message": "busy"}, {"index": 3, "statusCode": 400, "message": "bad"}]
    answer = json.dumps({"itemsReceived": 4, "itemsAccepted": 2, "errors": errors}).encode()
    with span_collector(lambda number, body: (206, {}, answer) if number == 1 else None) as collector:
        exporter = Exporter(insights(collector.url), **QUICK)
        exporter.put(lambda: [span("fine"), span("again"), span("lost", Failure("E"))], 3)
        collector.wait(lambda: len(collector.bodies) == 2)
        exporter.close()
        assert [each["data"]["baseData"]["name"] for each in collector.bodies[1]] == ["again"]
    assert (exporter.sent, exporter.dropped) == (2, 1)


def test_application_insights_may_have_moved_but_keys_are_not_sent_elsewhere():
    with span_collector() as there:
        moved = (308, {"Location": f"{there.url}/v2.1/track"}, b"")
        with span_collector(lambda number, body: moved) as here:
            exporter = Exporter(insights(here.url), **QUICK)
            exporter.put(lambda: [span()], 1)
            there.wait(lambda: len(there.bodies) == 1)
            exporter.put(lambda: [span()], 1)
            exporter.close()
            assert (len(here.bodies), len(there.bodies)) == (1, 2), "the new address is kept"
            keyed = Exporter(otlp(here.url, headers={"x-key": "s3cret"}), **QUICK)
            keyed.put(lambda: [span()], 1)
            keyed.close()
    assert (exporter.sent, keyed.sent, keyed.dropped, len(there.bodies)) == (2, 0, 1, 2)

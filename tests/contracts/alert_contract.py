"""What every store must do for alerts, drift and metrics; a test module of a database subclasses ``AlertContract``."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from production_contract import Address, exchange, feedback

from flowyard.production.alerts.conditions import parse_condition
from flowyard.production.alerts.look import Alert, look
from flowyard.production.alerts.model import AlertRule, MonitoringPolicy
from flowyard.production.alerts.tables import message_ended, read_states, waiting_messages
from flowyard.production.drift.compare import compare
from flowyard.production.drift.model import DriftReport, DriftSettings
from flowyard.production.drift.observed import observations
from flowyard.production.exchanges.lines import ExchangeFilter, iter_exchanges
from flowyard.production.exchanges.scores import feedback_scores
from flowyard.production.exchanges.series import Window, series
from flowyard.production.judging.model import Judgement
from flowyard.production.judging.scores import judge_moments
from flowyard.production.judging.store import add_judgements
from flowyard.production.metrics.prometheus import prometheus_text
from flowyard.production.metrics.readings import read_metrics
from flowyard.production.records.instants import milliseconds
from flowyard.production.records.model import ExchangeRecord
from flowyard.production.store.collect import collect
from flowyard.production.store.store import ProductionStore
from flowyard.records import LineResult, Usage
from flowyard.store.open import open_database
from flowyard.store.tables import Tables

__all__ = ["AlertContract"]

START = datetime(2026, 3, 1, 10, tzinfo=UTC)
DAY = Window(START, START + timedelta(days=1))
HOSTILE = "v\x00\ud800'; DROP TABLE flowyard_alerts; --"
POLICY = MonitoringPolicy(
    "triage",
    (
        AlertRule("errors", parse_condition("error_rate > 0.5 over 1h"), "critical", min_requests=5),
        AlertRule("silent", parse_condition("requests < 1 over 1h"), by="flow"),
    ),
    notify=("webhook:A", "webhook:B"),
)


def kept(folder: Path, *records: dict[str, Any], name: str = "a.jsonl") -> None:
    """With what UTF-8 cannot hold as escapes."""
    (folder / name).write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")


def counted(store: ProductionStore) -> list[tuple[str, int]]:
    """How many messages there are by how they ended."""
    sql = "SELECT ended, COUNT(*) FROM flowyard_alert_messages GROUP BY ended ORDER BY ended"
    rows = store.tables.read(lambda session: session.execute(sql).fetchall(), [])
    return [(str(ended), int(count)) for ended, count in rows]


def seen(store: ProductionStore, now: datetime, policy: MonitoringPolicy = POLICY) -> list[Alert]:
    return list(look(store, policy, lambda window, by: DriftReport(), now))


class AlertContract:
    @pytest.fixture
    def store(self, address: Address) -> ProductionStore:
        return ProductionStore(Tables(open_database(*address)))

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        path = tmp_path / "records"
        path.mkdir()
        return path

    def test_nothing_is_known_before_a_look(self, store: ProductionStore):
        assert read_states(store, "triage") == []
        assert waiting_messages(store, "triage") == []
        assert observations(store, "triage", DAY) == []

    def test_states_and_messages_are_kept(self, store: ProductionStore, folder: Path):
        records = [exchange(number, version=HOSTILE, status=500) for number in range(9)]
        kept(folder, *records)
        collect(store, [folder])
        now = START + timedelta(minutes=30)
        alerts = seen(store, now)
        assert [(each.rule.name, each.state.state) for each in alerts] == [("errors", "firing"), ("silent", "ok")]
        errors = {each.rule: each for each in read_states(store, "triage")}["errors"]
        assert errors == alerts[0].state
        assert (errors.since, errors.episode, errors.told) == (now, 1, True)
        waiting = waiting_messages(store, "triage")
        assert [each.target for each in sorted(waiting, key=lambda each: each.target)] == ["webhook:A", "webhook:B"]
        assert waiting_messages(store, "another") == []
        seen(store, now + timedelta(minutes=1))
        assert list(waiting_messages(store, "triage")) == list(waiting)
        for message in waiting:
            message_ended(store, message, "sent", now)
        assert waiting_messages(store, "triage") == []
        later = seen(store, now + timedelta(hours=3))
        assert {each.rule.name: each.state.state for each in later} == {"errors": "resolved", "silent": "firing"}
        told = [each.notice.title for each in waiting_messages(store, "triage")]
        assert {title.split(":")[0] for title in told} == {"Resolved", "WARNING"}
        assert counted(store) == [("", 4), ("sent", 2)]
        at = (now + timedelta(days=40)).isoformat()
        kept(folder, *(exchange(number, at=at, version="2") for number in range(5)), name="later.jsonl")
        collect(store, [folder])
        seen(store, now + timedelta(days=40, minutes=1))
        assert counted(store) == [("", 6)]

    def test_rules_that_are_no_more(self, store: ProductionStore, folder: Path):
        kept(folder, *(exchange(number, status=500) for number in range(9)))
        collect(store, [folder])
        now = START + timedelta(minutes=30)
        seen(store, now)
        only = MonitoringPolicy("triage", POLICY.rules[1:], notify=("webhook:A",))
        assert [each.rule.name for each in seen(store, now, only)] == ["silent"]
        assert {each.rule: each.state for each in read_states(store, "triage")}["errors"] == "resolved"
        told = [each.notice.title for each in waiting_messages(store, "triage") if each.target == "webhook:A"]
        assert sorted(title.split(":")[0] for title in told) == ["CRITICAL", "Resolved"]

    def test_two_who_look_at_once_write_each_message_once(self, store: ProductionStore, folder: Path, address: Address):
        kept(folder, *(exchange(number, status=500) for number in range(9)))
        collect(store, [folder])
        together, found = Barrier(3), []

        def looking() -> None:
            own = ProductionStore(Tables(open_database(*address)))
            together.wait(60)
            found.append(seen(own, START + timedelta(minutes=30)))

        threads = [Thread(target=looking) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        assert len(found) == 3
        assert len(waiting_messages(store, "triage")) == 2

    def test_observations_are_a_sample_of_what_did_not_fail(self, store: ProductionStore, folder: Path):
        kept(
            folder,
            *(exchange(number, version=str(number % 2), status=500 if number < 100 else 200) for number in range(1300)),
            feedback(200, {"score": 0.25}),
            feedback(201, {"thumbs": "down"}),
        )
        collect(store, [folder])
        everything = observations(store, "triage", DAY)
        assert len(everything) == len({each.id for each in everything}) == 1200
        said = [each.values for each in everything if "feedback.positive" in each.values]
        assert sorted(str(values["feedback.positive"]) for values in said) == ["false", "false"]
        assert {each.version for each in observations(store, "triage", DAY, version="1")} == {"1"}
        some = observations(store, "triage", DAY, most=300)
        assert some == observations(store, "triage", DAY, most=300)
        assert 200 < len(some) < 420
        assert {each.id for each in some} <= {each.id for each in everything}

    def test_sums_by_flow_and_scores(self, store: ProductionStore, folder: Path):
        kept(folder, *(exchange(number, version=str(number % 2)) for number in range(20)))
        kept(folder, *(feedback(number, {"score": number / 10}) for number in range(4)), name="b.jsonl")
        collect(store, [folder])
        (whole,) = series(store, "triage", DAY, by="flow")
        assert (whole.group, whole.requests, whole.cost_usd) == ("", 20, 10.0)
        scores = feedback_scores(store, "triage", DAY, "version")
        assert {group: (moments.n, round(moments.mean, 6)) for group, moments in scores.items()} == {
            "0": (2, 0.1),
            "1": (2, 0.2),
        }
        assert feedback_scores(store, "triage", DAY, "flow")[""].n == 4
        seen(store, START + timedelta(minutes=30))
        text = prometheus_text(read_metrics(store))
        assert 'flowyard_monitor_alert_state{flow="triage",rule="errors",version="0"} 0' in text

    def test_what_judges_said(self, store: ProductionStore, folder: Path):
        kept(folder, *(exchange(number, version=str(number % 2)) for number in range(80)))
        collect(store, [folder])
        exchanges = [each.exchange for each in iter_exchanges(store, ExchangeFilter("triage", DAY))]
        given = [(each, 0.9 if each.version == "0" else 0.4) for each in exchanges]
        add_judgements(store, [_judged(each, score + n / 1e5) for n, (each, score) in enumerate(given)])
        add_judgements(store, [_judged(exchanges[0], 0.1, is_failed=True), _judged(exchanges[1], 0.1, is_drawn=False)])
        scores = judge_moments(store, "triage", DAY, "version")["quality.score"]
        assert {group: (moments.n, round(moments.mean, 2)) for group, moments in scores.items()} == {
            "0": (40, 0.9),
            "1": (40, 0.4),
        }
        rule = AlertRule("quality", parse_condition("judge.quality.score < 0.6 over 1h"))
        alerts = seen(store, START + timedelta(minutes=30), MonitoringPolicy("triage", (rule,)))
        assert {each.state.group: each.state.state for each in alerts} == {"0": "ok", "1": "firing"}
        observed = observations(store, "triage", DAY)
        good = [replace(each, version="1") for each in observed if each.version == "0"]
        report = compare(good, [each for each in observed if each.version == "1"], DriftSettings(min_records=20))
        (drifted,) = report.drifted
        assert (drifted.feature, drifted.is_simulated) == ("judge.quality.score", True)


def _judged(about: ExchangeRecord, score: float, *, is_failed: bool = False, is_drawn: bool = True) -> Judgement:
    """By a simulated model; another version of the evaluator where it says nothing that counts."""
    status = "failed" if is_failed else "completed"
    line = LineResult(0, status, {}, {"score": score}, usage=Usage(calls=1, simulated_calls=1))
    digest = "1" if is_drawn and not is_failed else "2"
    later = START + timedelta(hours=int(digest))
    names = (about.id, milliseconds(about.at), about.flow, about.version, about.request_id)
    return Judgement(*names, "quality", digest, later, is_drawn, line)

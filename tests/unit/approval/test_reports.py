"""What people decide on: metrics of the version beside those of what serves now, from files and from lineage."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from approval_office import SUBJECT, Office

from flowyard.approval.facts import MetricFact, read_facts
from flowyard.approval.lineage import add_approval_fact, find_subject, registered_report, with_serving
from flowyard.approval.model import ApprovalSubject
from flowyard.approval.report import read_report
from flowyard.errors import NotFound, UserError
from flowyard.registry.model import AliasChange, LineageFact, Version
from flowyard.registry.open import open_registry
from flowyard.registry.registry import Registry
from flowyard.settings import Settings

AT = "2024-05-01T12:00:00+00:00"


def test_metrics_beside_those_of_what_serves_now():
    told = {"value": 0.91234, "low": 0.88, "high": 0.94, "higher_is_better": True}
    report = {"metrics": {"accuracy": told, "cost": 1e-7}, "serving": {"metrics": {"accuracy": 0.9, "old": 12345.6}}}
    assert read_facts(report).metrics == [
        MetricFact("accuracy", "0.912 (0.880 to 0.940)", "0.900", "+0.012", "better"),
        MetricFact("cost", "1.00e-07", "–", "", "unknown"),
        MetricFact("old", "–", "12,346", "", "unknown"),
    ]


def test_files_that_are_no_report(tmp_path: Path):
    file = tmp_path / "report.json"
    for text, said in (
        ("", "cannot be read"),
        ("[1]", "no JSON object"),
        ("[" * 100_000, "cannot be read"),
        ('{"format": 1, "datasets": []}', "whole experiment"),
    ):
        file.write_text(text)
        with pytest.raises(UserError, match=said):
            read_report(file)
    file.write_text(json.dumps({"metrics": {"a": float("nan")}}))
    assert read_report(file) == {"metrics": {"a": None}}


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return open_registry(Settings.read(home=str(tmp_path / "home")))


def registered(registry: Registry, folder: Path, text: str, accuracy: float) -> Version:
    (folder / "flow").mkdir(exist_ok=True)
    (folder / "flow" / "flow.dag.yaml").write_text(text)
    version = registry.register(folder / "flow", "triage", kind="flow").version
    metrics = {"run": "r", "dataset": "test", "metrics": {"accuracy": accuracy}}
    registry.add_fact(version, LineageFact("metrics", metrics, "ann", AT))
    gates = {"verdict": "pass", "gates": [{"gate": "accuracy >= 0.8", "verdict": "pass", "reason": "it is"}]}
    registry.add_fact(version, LineageFact("gates", gates, "ann", AT))
    registry.add_fact(version, LineageFact("run", {"name": "r", "simulated": True}, "ann", AT))
    return version


def test_what_lineage_knows_of_a_version_and_of_what_serves_now(registry: Registry, tmp_path: Path):
    old, new = registered(registry, tmp_path, "old", 0.88), registered(registry, tmp_path, "new", 0.91)
    subject = find_subject(registry, "triage:2", "prod", "endpoint")
    assert subject == ApprovalSubject("triage", 2, new.digest, "prod", "endpoint")
    report = registered_report(registry, subject)
    assert (report["verdict"], report["metrics"], report["simulated"]) == ("pass", {"accuracy": 0.91}, True)
    assert with_serving(registry, subject, report) == report
    registry.move_alias("triage", AliasChange("production@prod", old.version, "ann", "first", AT), "flow")
    serving = with_serving(registry, subject, report)
    assert serving["serving"] == {"label": "triage:1", "metrics": {"accuracy": 0.88}}
    assert read_facts(serving).metrics == [MetricFact("accuracy", "0.910", "0.880", "+0.030", "unknown")]
    assert with_serving(registry, find_subject(registry, "triage:2", "dev", "endpoint"), report) == report
    said = {**report, "serving": {"label": "said by the report"}}
    assert with_serving(registry, subject, said) == said


def test_a_decision_is_written_down_with_exactly_its_content(registry: Registry, tmp_path: Path, office: Office):
    version = registered(registry, tmp_path, "new", 0.91)
    subject = find_subject(registry, "triage:1", "prod", "endpoint")
    approved = office.desk.answer(office.asked(subject).request.id, "ann", "approve")
    add_approval_fact(registry, approved)
    (fact,) = [each for each in registry.facts(version) if each.kind == "approval"]
    add_approval_fact(registry, approved)
    assert [each.kind for each in registry.facts(version)].count("approval") == 1, "a release that waited says it again"
    assert fact.value["ledger_head"] == approved.head == office.desk.ledger.read().head
    elsewhere = office.asked(ApprovalSubject("triage", 1, "cd" * 32, "prod", "endpoint"))
    add_approval_fact(registry, office.desk.answer(elsewhere.request.id, "ann", "approve"))
    assert [each.kind for each in registry.facts(version)].count("approval") == 1


def test_a_version_that_is_in_no_registry_needs_its_digest(registry: Registry):
    with pytest.raises(NotFound, match="triage"):
        find_subject(registry, "triage:3", "prod", "endpoint")
    assert find_subject(registry, "triage:3", "prod", "endpoint", SUBJECT.digest) == SUBJECT
    with pytest.raises(UserError, match="nothing is known of it"):
        registered_report(registry, SUBJECT)

"""Facts: what is taken of a run, an execution and a commit, and that no secret ever is."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from git_helper import git

from flowyard._util.git import Commit, read_commit
from flowyard.records import ExperimentRecord, LineCounts, RunRecord
from flowyard.registry.lineage import (
    approval_fact,
    commit_fact,
    copied_fact,
    deployment_fact,
    experiment_facts,
    image_fact,
    is_same_fact,
    note_fact,
    plain_remote,
    run_facts,
)
from flowyard.registry.lineage_tree import Branch, lineage_tree
from flowyard.registry.model import LineageFact, Version

CANARY = "c4n4ry-9f8e7d6c5b4a"


def run(name: str, **more: Any) -> RunRecord:
    given: dict[str, Any] = {"status": "completed", "flow": "flows/triage", "path": Path("runs") / name, **more}
    return RunRecord(name=name, lines=LineCounts(10, 9, 1), **given)


def executed() -> ExperimentRecord:
    graded = run("graded", role="evaluation", base_run="first", metrics={"accuracy": 0.9}, flow_digest="sha256:ee")
    first = run(
        "first", role="variant", dataset="tickets", data_digest="sha256:dd", properties={"registered_dataset": "t:3"}
    )
    gate = {"gate": "accuracy >= 0.8", "verdict": "pass", "reason": "0.9", "slice": {}, "p_value": None}
    return ExperimentRecord(
        "triage",
        "k1",
        Path("e"),
        "2026-01-01T00:00:00+00:00",
        None,
        (first, graded),
        {"first": {"a": "v"}},
        {"graded": ("grade", "first")},
        labels={"first": "a=v"},
        verdict="pass",
        gates=(gate,),
    )


def text_of(facts: list[LineageFact]) -> str:
    return json.dumps([asdict(fact) for fact in facts])


def test_no_fact_holds_a_secret():
    url = f"https://user:{CANARY}@example.org/r.git"
    leaky = run(
        "leaky",
        environment_names=("API_KEY",),
        connections={"ask": {"connection": "c", "api_key": CANARY}},
        parameters={"environment_variables.API_KEY": CANARY},
        tags={"token": CANARY},
        column_mapping={"x": CANARY},
        variant=f"sk-{CANARY}",
        metrics={"accuracy": 1.0, "password": CANARY, "place": f"postgres://me:{CANARY}@db/x"},
    )
    facts = [
        commit_fact(Commit("a" * 40, f"sk-{CANARY}", url, ()), "me"),
        *run_facts(leaky, "me"),
        approval_fact(request="r", decision="approve", by=f"https://{CANARY}@host", environment="dev", target="t"),
        image_fact(reference=f"https://u:{CANARY}@reg.example/i", digest="sha256:aa", by="me"),
        deployment_fact(
            environment="dev", target="t", endpoint=f"https://h/?sig={CANARY}", deployment="d", state="live", by="me"
        ),
        note_fact(f"log in with Bearer {CANARY} or AccountKey={CANARY};", "me"),
    ]
    assert CANARY not in text_of(facts)
    assert facts[2].value["metrics"]["accuracy"] == 1.0


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        (f"https://me:{CANARY}@example.org:8443/a/b.git?token={CANARY}#x", "https://example.org:8443/a/b.git"),
        (f"https://{CANARY}@example.org/a", "https://example.org/a"),
        (f"https://a@b:{CANARY}@example.org/a", "https://example.org/a"),
        ("git@example.org:a/b.git", "example.org:a/b.git"),
        ("ssh://git@example.org/a", "ssh://example.org/a"),
        ("https://example.org:port/a", None),
        ("", None),
        (None, None),
    ],
)
def test_a_repository_without_who_may_read_it(url: str | None, plain: str | None):
    assert plain_remote(url) == plain


def test_facts_of_an_execution():
    record = executed()
    facts = experiment_facts(record, [record.runs[0]], "me")
    assert [fact.kind for fact in facts] == ["run", "dataset", "run", "metrics", "evaluator", "gates"]
    assert facts[0].value["variant"] == "a=v"
    assert facts[1].value == {"name": "t", "version": 3, "digest": "sha256:dd"}
    assert facts[3].value == {"run": "graded", "dataset": None, "evaluator": "grade", "metrics": {"accuracy": 0.9}}
    assert facts[5].value["gates"] == [{"gate": "accuracy >= 0.8", "verdict": "pass", "reason": "0.9"}]


def test_a_metric_that_is_no_number_is_what_json_has():
    facts = run_facts(run("odd", metrics={"a": float("nan"), "b": float("inf"), "c": [1, {"d": Path("x")}]}), "me")
    assert json.loads(json.dumps(facts[1].value, allow_nan=False))["metrics"] == {
        "a": None,
        "b": None,
        "c": [1, {"d": "x"}],
    }


def test_a_copy_says_the_same_and_where_it_was_said_first():
    fact = note_fact("fine", "me")
    copy = copied_fact(copied_fact(fact, "a:1 of here"), "a:1 of there")
    assert copy.value["copied_from"] == "a:1 of here"
    assert is_same_fact(fact, copy)
    assert not is_same_fact(fact, note_fact("other", "me"))


def test_the_tree_has_everything_in_the_order_of_events():
    record = executed()
    later = [
        deployment_fact(environment="dev", target="aml", endpoint="e", deployment="blue", state="live", by="me"),
        image_fact(reference="triage:1", digest="sha256:11", by="me"),
        approval_fact(request="r1", decision="approve", by="ann", environment="dev", target="aml"),
        *experiment_facts(record, [record.runs[0]], "me"),
        commit_fact(Commit("b" * 40, "main", None, ("work.py", ".env", "a/__pycache__/x.pyc")), "me"),
    ]
    version = Version("flow", "triage", 1, "f" * 64, (), True, "", "2026-01-01T00:00:00+00:00")
    lines = list(said(lineage_tree(version, ["production@dev"], later)))
    starts = ["commit", "data", "evaluators", "runs", "gates: pass", "approval: approve", "image:", "deployment: live"]
    assert [line for line in lines if line.startswith(tuple(starts))] == sorted(
        [line for line in lines if line.startswith(tuple(starts))],
        key=lambda line: next(index for index, start in enumerate(starts) if line.startswith(start)),
    )
    assert lines.index("accuracy = 0.9") > lines.index("runs")
    assert "production@dev" in lines[0]
    assert "with changes" in lines[1]


def said(branch: Branch) -> list[str]:
    return [branch.text, *(text for each in branch.below for text in said(each))]


def test_the_commit_of_a_folder(tmp_path: Path):
    assert read_commit([tmp_path]) is None
    git(tmp_path, "init", "-q", "-b", "größe")
    assert read_commit([tmp_path]) is None
    (tmp_path / "flow").mkdir()
    (tmp_path / "flow" / "a b.txt").write_text("1")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "x")
    found = read_commit([tmp_path / "flow"])
    assert found is not None
    assert (len(found.revision), found.branch, found.remote, found.changed) == (40, "größe", None, ())
    (tmp_path / "elsewhere.txt").write_text("1")
    assert read_commit([tmp_path / "flow"]) == found
    (tmp_path / "flow" / "a b.txt").write_text("2")
    (tmp_path / "flow" / "ü.txt").write_text("2")
    changed = read_commit([tmp_path / "flow" / "a b.txt", tmp_path / "flow"])
    assert changed is not None
    assert changed.changed == ("flow/a b.txt", "flow/ü.txt")


def test_no_monitor_of_a_repository_is_run(tmp_path: Path):
    git(tmp_path, "init", "-q")
    (tmp_path / "a.txt").write_text("1")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "x")
    trap = tmp_path / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    trap.chmod(0o755)
    git(tmp_path, "config", "core.fsmonitor", str(trap))
    assert read_commit([tmp_path]) is not None
    assert not (tmp_path / "sprung").exists()

"""``flowyard approval`` as people and pipelines use it, with faults F8 and attack A12."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from functional_helper import PATIENCE_S, Project, clean_environment, ending, start_flowyard, wait_for_text

DIGEST = "ab" * 32
PLACE = ("--env", "prod", "--target", "endpoint")
REPORT = {
    "title": "triage",
    "metrics": {"accuracy": 0.912, "latency_p95_ms": 800},
    "serving": {"label": "triage:2", "metrics": {"accuracy": 0.88}},
    "gates": [{"gate": "accuracy >= 0.9", "verdict": "pass", "reason": "0.912 \x1b[2J[red]"}],
}
SHORT = "name: echo\nflow: echo\ndatasets:\n- {name: d, source: d.jsonl, mappings: {x: '${data.x}'}}\napproval: "


def ask(project: Project, policy: str = "") -> dict[str, Any]:
    project.write("report.json", json.dumps(REPORT))
    words = ["--report", "report.json", "--by", "rita", *(["--policy", policy_file(project, policy)] if policy else [])]
    asked: dict[str, Any] = project.json("approval", "request", "triage:3", *PLACE, "--digest", DIGEST, *words)
    return asked


def policy_file(project: Project, block: str) -> str:
    project.echo_flow()
    project.jsonl("d.jsonl", [{"x": "1"}])
    project.write("experiment.yaml", SHORT + block + "\n")
    return "experiment.yaml"


def require(project: Project, code: int, digest: str = DIGEST) -> str:
    done = project.run("approval", "require", "triage:3", *PLACE, "--digest", digest, code=code)
    return done.stdout + done.stderr


def test_ask_approve_and_deploy(project: Project):
    asked = ask(project)
    assert (asked["state"], asked["is_live"], asked["subject"]["digest"]) == ("pending", False, DIGEST)
    assert "0 of 1 approvals" in require(project, 4)
    assert [each["id"] for each in project.json("approval", "list", "--pending")] == [asked["id"]]
    shown = project.run("approval", "show", asked["id"]).stdout
    for text in (
        "triage:3 to prod (endpoint)",
        "0.912",
        "0.88",
        "+0.032",
        "now (triage:2)",
        "accuracy >= 0.9",
        "[red]",
    ):
        assert text in shown
    assert "\x1b[2J" not in shown
    answered = project.json("approval", "approve", asked["id"], "--reason", "better", "--by", "Ann <ann@example.com>")
    assert (answered["state"], answered["is_live"], answered["answers"][0]["reason"]) == ("approved", True, "better")
    assert project.json("approval", "wait", asked["id"])["state"] == "approved"
    assert "approved" in require(project, 0)
    assert "No living approval" in require(project, 4, "cd" * 32), "the content was swapped after the approval"
    assert asked["id"] in project.run("approval", "list").stdout
    verified = project.json("approval", "verify", "--head", answered["ledger_head"])
    assert (verified["verified"], verified["entries"]) == (True, 2)


def test_double_answer_self_approval_and_strangers(project: Project):
    asked = ask(project, policy="{approvals: 2, approvers: [ann, bob, rita], self_approval: false}")
    words = ("approval", "approve", asked["id"], "--reason", "good", "--by")
    project.run(*words, "ann")
    assert "answered already" in project.run(*words, "ann", code=2).stderr
    assert "own request" in project.run(*words, "rita", code=2).stderr
    assert "none of the approvers" in project.run(*words, "eve", code=2).stderr
    assert project.json(*words, "bob")["state"] == "approved"
    project.run("approval", "reject", asked["id"], "--reason", "I was wrong", "--by", "ann")
    assert "I was wrong" in require(project, 4)
    assert "rejected already" in project.run(*words, "bob", code=4).stderr


def test_nobody_in_time_is_a_no(project: Project):
    asked = ask(project, policy="{timeout: 1s}")
    done = project.run("approval", "wait", asked["id"], "--poll", "0.1", code=4)
    assert "timed out" in done.stdout
    assert "timed out" in project.run("approval", "approve", asked["id"], "--reason", "late", code=4).stderr
    require(project, 4)
    rows = entries(project)
    assert [kind for kind, _ in rows] == ["request", "timeout"]


def test_asking_can_wait(project: Project):
    policy = policy_file(project, "{timeout: 1s}")
    words = ("approval", "request", "triage:3", *PLACE, "--digest", DIGEST, "--policy", policy, "--wait")
    project.write("report.json", "{}")
    assert project.json(*words, "--report", "report.json", code=4)["state"] == "timed_out"


def test_a_newer_request_voids_an_older_one(project: Project):
    first, second = ask(project), ask(project)
    done = project.run("approval", "wait", first["id"], code=4)
    assert second["id"] in done.stdout
    assert project.run("approval", "approve", first["id"], "--reason", "late", code=4).stdout == ""


def test_a_killed_wait_goes_on_with_the_same_deadline(project: Project, tmp_path: Path):
    asked = ask(project)
    for how in (signal.SIGKILL, signal.SIGINT):
        log = tmp_path / f"{how}.log"
        with log.open("w") as stderr:
            waiting = start_flowyard(
                "approval",
                "wait",
                asked["id"],
                "--poll",
                "0.1",
                "--home",
                project.home,
                cwd=project.root,
                stderr=stderr,
            )
            with ending(waiting):
                assert asked["id"] in wait_for_text(log)
                waiting.send_signal(how)
                assert waiting.wait(timeout=PATIENCE_S) == (130 if how is signal.SIGINT else -signal.SIGKILL)
    assert f"flowyard approval wait {asked['id']}" in log.read_text()
    after = project.json("approval", "show", asked["id"])
    assert (after["state"], after["expires_at"]) == ("pending", asked["expires_at"])
    again = start_flowyard("approval", "wait", asked["id"], "--poll", "0.1", "--home", project.home, cwd=project.root)
    with ending(again):
        project.run("approval", "approve", asked["id"], "--reason", "good")
        assert again.wait(timeout=PATIENCE_S) == 0


ANSWER = """
import sys
from pathlib import Path
from flowyard.approval.open import open_desk
from flowyard.errors import Conflict
from flowyard.settings import Settings

desk = open_desk(Settings.read(home=sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
try:
    desk.answer(sys.argv[2], sys.argv[3], sys.argv[4])
except Conflict:
    print("refused")
else:
    print("taken")
"""


def test_sixteen_processes_answer_at_once(project: Project):
    asked = ask(project, policy="{approvals: 5}")
    people = [(f"person {number % 8}", "approve") for number in range(16)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", ANSWER, project.home, asked["id"], *person],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=clean_environment(),
        )
        for person in people
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        said = [process.communicate(timeout=120)[0].strip() for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    assert sorted(said) == ["refused"] * 11 + ["taken"] * 5
    found = project.json("approval", "show", asked["id"])
    assert found["state"] == "approved"
    assert len({each["by"] for each in found["answers"]}) == 5
    assert project.json("approval", "verify")["entries"] == 6


def test_decisions_of_pipelines_are_recorded_by_the_same_rules(project: Project):
    asked = ask(project, policy="{approvers: [octocat], self_approval: false}")
    words = ("approval", "record", asked["id"], "--via", "github", "--decision", "approve", "--by")
    assert "none of the approvers" in project.run(*words, "hubot", code=2).stderr
    url = "https://github.com/o/r/actions/runs/1"
    found = project.json(*words, "octocat", "--evidence", f"run={url}", "--reason", "deployment review")
    (answer,) = found["answers"]
    assert (found["state"], answer["via"], answer["evidence"]) == ("approved", "github", {"run": url})
    second = ask(project)
    rejected = project.json(
        "approval", "record", second["id"], "--via", "azure-devops", "--decision", "reject", "--by", "Ann"
    )
    assert (rejected["state"], rejected["answers"][0]["via"]) == ("rejected", "azure-devops")


def entries(project: Project) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(project.home / "flowyard.db")) as connection:
        return connection.execute("SELECT kind, body FROM flowyard_approval_ledger ORDER BY seq").fetchall()


def test_an_edited_ledger_approves_nothing(project: Project):
    asked = ask(project)
    project.run("approval", "reject", asked["id"], "--reason", "bad")
    with closing(sqlite3.connect(project.home / "flowyard.db")) as connection, connection:
        connection.execute("UPDATE flowyard_approval_ledger SET body = replace(body, 'reject', 'approve')")
    assert "Entry 2" in require(project, 4)
    assert "Entry 2" in project.run("approval", "verify", code=4).stderr
    assert project.json("approval", "verify", code=4)["broken_at"] == 2
    assert (
        "changed by others"
        in project.run(
            "approval", "request", "triage:4", *PLACE, "--digest", DIGEST, "--report", "report.json", code=5
        ).stderr
    )


def test_a_machine_without_the_key_verifies_nothing(project: Project):
    asked = ask(project)
    answered = project.json("approval", "approve", asked["id"], "--reason", "good")
    other = {"FLOWYARD_APPROVAL_KEY": "A" * 43 + "="}
    words = ("approval", "require", "triage:3", *PLACE, "--digest", DIGEST)
    assert "key that is not here" in project.run(*words, code=4, env=other).stderr
    found = project.json("approval", "verify", code=4, env=other)
    assert (found["broken_at"], found["unverified"]) == (None, [1, 2])
    assert "not 32 bytes" in project.run(*words, code=2, env={"FLOWYARD_APPROVAL_KEY": "short"}).stderr
    key = (project.home / "approval" / "key").read_text().strip()
    (project.home / "approval" / "key").unlink()
    project.run(*words, code=4)
    project.run(*words, code=0, env={"FLOWYARD_APPROVAL_KEY": key})
    missing = project.run("approval", "verify", "--head", "0" * 63 + "1", code=4, env={"FLOWYARD_APPROVAL_KEY": key})
    assert "does not have that head" in missing.stderr
    project.run("approval", "verify", "--head", answered["ledger_head"], env={"FLOWYARD_APPROVAL_KEY": key})


def test_a_registered_version_brings_its_digest_and_its_lineage(project: Project):
    project.echo_flow()
    made = project.json("registry", "register", "echo", "--note", "first")
    project.write("report.json", json.dumps(REPORT))
    asked = project.json("approval", "request", "echo:1", *PLACE, "--report", "report.json")
    assert asked["subject"]["digest"] == made["digest"]
    answered = project.json("approval", "approve", asked["id"], "--reason", "good", "--by", "ann")
    project.run("approval", "require", "echo:1", *PLACE)
    facts = project.json("registry", "lineage", "echo:1")
    text = json.dumps(facts)
    assert answered["ledger_head"] in text
    assert asked["id"] in text
    project.write("echo/work.py", "# changed\n")
    assert project.json("registry", "register", "echo")["version"] == 2
    project.run("approval", "require", "echo:2", *PLACE, code=4)
    assert "no version '3'" in project.run("approval", "request", "echo:3", *PLACE, code=2).stderr


def test_wrong_words_are_refused(project: Project):
    for words in (
        ("approval", "request", "triage:3", *PLACE, "--digest", "abc", "--report", "missing.json"),
        ("approval", "request", "triage:3", *PLACE, "--digest", DIGEST, "--report", "missing.json"),
        ("approval", "request", "triage", *PLACE),
        ("approval", "show", "nothing"),
        ("approval", "approve", "nothing"),
    ):
        done = project.run(*words, code=2)
        assert done.stdout == ""
        assert len(done.stderr.splitlines()) <= 5


@pytest.mark.parametrize("report", ['{"metrics": 3}', '{"gates": {"a": 1}}', '{"serving": "triage:1"}', "[1]", "no"])
def test_a_report_that_shows_nothing_is_refused(project: Project, report: str):
    project.write("report.json", report)
    words = ("approval", "request", "triage:3", *PLACE, "--digest", DIGEST, "--report", "report.json")
    assert "report.json" in project.run(*words, code=2).stderr
    assert project.json("approval", "list") == []


def test_what_is_not_approved_says_how_to_ask(project: Project):
    assert "approval request triage:3 --env prod --target endpoint" in require(project, 4)


def test_times_are_for_people(project: Project):
    asked = ask(project)
    answered = project.run("approval", "approve", asked["id"], "--reason", "good").stdout
    for text in (answered, project.run("approval", "list").stdout, project.run("approval", "show", asked["id"]).stdout):
        assert " UTC" in text
        assert "+00:00" not in text
        assert not re.search(r"\d\d:\d\d:\d\d", text)
    assert re.search(r"said yes: “good”\. It holds until \d{4}-\d\d-\d\d \d\d:\d\d UTC\.", " ".join(answered.split()))


def test_a_no_that_is_deleted_from_the_database_is_missed(project: Project):
    asked = ask(project)
    project.run("approval", "approve", asked["id"], "--reason", "good")
    project.run("approval", "reject", asked["id"], "--reason", "I misread")
    with closing(sqlite3.connect(project.home / "flowyard.db")) as connection, connection:
        connection.execute("DELETE FROM flowyard_approval_ledger WHERE seq = 3")
    assert "were removed" in require(project, 5)
    assert project.json("approval", "verify", code=4)["problem"]


def test_reasons_do_not_steer_the_terminal(project: Project):
    asked = ask(project)
    project.run("approval", "reject", asked["id"], "--reason", "no\x1b[2J\x1b]0;x\x07")
    for done in (
        project.run("approval", "show", asked["id"]),
        project.run("approval", "approve", asked["id"], "--reason", "late", code=4),
        project.run("approval", "wait", asked["id"], code=4),
    ):
        assert "no" in done.stdout + done.stderr
        assert "\x1b" not in done.stdout + done.stderr
    assert "\x1b" not in require(project, 4)


def test_metrics_are_shown_with_interval_direction_and_warnings(project: Project):
    metric = {"value": 0.9, "low": 0.85, "high": 0.94, "higher_is_better": True}
    report = {"metrics": {"accuracy": metric}, "serving": {"metrics": {"accuracy": 0.8}}, "warnings": ["Few lines."]}
    project.write("report.json", json.dumps(report))
    asked = project.json("approval", "request", "triage:3", *PLACE, "--digest", DIGEST, "--report", "report.json")
    shown = project.run("approval", "show", asked["id"]).stdout
    for text in ("0.900 (0.850 to 0.940)", "+0.100 better", "Few lines.", "from a file"):
        assert text in shown

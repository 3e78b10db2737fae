"""``flowyard pipeline run``: from a pull request to production, as on a laptop so in CI."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from xml.etree import ElementTree

import pytest
from deploy_helper import ask
from functional_helper import EXAMPLE, PATIENCE_S, ending, start_flowyard, wait_until
from pipeline_helper import Repository, said, states

from flowyard.pipelines import PIPELINES
from flowyard.pipelines.log import FILES, PipelineLog
from flowyard.pipelines.use_cases.inputs import inputs_digest
from flowyard.release import ReleaseLog

CASE = "cases/shop"


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    made = Repository(tmp_path / "repository")
    made.use_case("shop")
    made.commit()
    yield made
    made.clean_up()


def test_from_a_merge_to_production(repository: Repository, tmp_path: Path):
    output = tmp_path / "out"
    failed = repository.run("dev", "--output", output, code=1, SHOP_MOOD="bad")
    assert states(failed)["smoke"] == "refused"
    assert states(failed)["integration"] == "waiting"
    assert states(failed)["delivery-report"] == "done"
    done = repository.run("dev", "--output", output)
    assert (done["key"], set(states(done).values())) == (failed["key"], {"done"})
    version, digest = done["version"], done["digest"]
    assert repository.run("dev", "--output", output)["stages"] == done["stages"]
    for file in ("summary.md", "shop/validate.junit.xml", "shop/integration.junit.xml", "shop/report.junit.xml"):
        assert (output / file).is_file(), file

    repository.git("checkout", "-q", "-b", "main")
    asked = repository.run("prod", "--no-wait", code=4)
    assert (asked["version"], asked["digest"]) == (version, digest)
    assert (states(asked)["record"], states(asked)["approval"]) == ("done", "running")
    assert states(repository.run("prod", "--until", "report")) == states(asked), "it does not come to who is asked"
    rejected = repository.answer_request("reject")
    refused = repository.run("prod", "--until", "approval", code=4)
    assert (refused["key"], states(refused)["approval"]) == (asked["key"], "refused")
    _serve_another_in_dev(repository, tmp_path / "another")
    assert repository.run("prod", "--no-wait", "--from", "approval", code=4)["key"] == asked["key"]
    repository.here("registry", "alias", "set", "shop", "production@dev", str(version), "--reason", "x")
    request = repository.answer_request("approve")
    served = repository.run("prod", "--until", "smoke")
    assert (served["key"], states(served)["smoke"], served["digest"]) == (asked["key"], "done", digest)
    (address,) = _addresses(repository, "prod")
    assert ask(address).startswith("one")
    shown = json.loads(repository.here("registry", "show", "shop", "--json").stdout)["versions"]
    known = next(each for each in shown if each["version"] == version)
    assert {"production@dev", "production@prod", "approved@prod"} <= set(known["aliases"])
    facts = [fact for fact in known["lineage"] if fact["kind"] == "approval"]
    assert sorted(fact["value"]["request"] for fact in facts) == sorted([rejected, request])
    assert "candidate" in known["aliases"]

    repository.answer(CASE, "changed")
    repository.commit()
    refused = repository.run("prod", "--until", "promote", code=2)
    assert states(refused)["promote"] == "refused"
    assert "not those of shop:1" in said(refused, "promote")
    assert states(refused)["experiment"] == "waiting"
    assert ask(address).startswith("one")


def _serve_another_in_dev(repository: Repository, flow: Path) -> None:
    """As another merge does while people are asked for production."""
    shutil.copytree(repository.root / CASE / "flow", flow)
    (flow / "work.py").write_text((flow / "work.py").read_text().replace("one", "another"))
    made = repository.here("registry", "register", flow, "--name", "shop", "--json")
    assert made.returncode == 0, made.stderr
    assert repository.here("registry", "alias", "set", "shop", "production@dev", "2", "--reason", "x").returncode == 0


def _addresses(repository: Repository, env: str) -> list[str]:
    return [json.loads(repository.here("deploy", "status", CASE, "--env", env, "--json").stdout)["address"]]


def test_a_missed_gate_ends_a_pull_request_and_is_told(tmp_path: Path):
    """The example on the simulated model, with a gate that it does not reach; then with files that are wrong."""
    repository = Repository(tmp_path / "repository")
    folder = repository.root / "triage"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns(".flowyard", "__pycache__"))
    shutil.copy(folder / "experiment.dev.yaml", folder / "experiment.pr.yaml")
    repository.commit()
    repository.git("checkout", "-q", "-b", "feature")
    experiment = folder / "experiment.yaml"
    experiment.write_text(experiment.read_text().replace("accuracy >= 0.75", "accuracy >= 0.999"))
    repository.write("triage/tests/test_own.py", "def test_own():\n    assert 1 + 1 == 2\n")
    output, junit, markdown = (tmp_path / name for name in ("out", "all.xml", "all.md"))
    words = ("--changed-since", "development", "--output", output, "--junit", junit, "--markdown", markdown)
    refused = repository.run("pr", *words, code=3)
    assert states(refused) == {
        "validate": "done",
        "experiment": "done",
        "gate": "refused",
        "report": "done",
        "comment": "done",
    }
    assert not (repository.home / "deployments").exists()
    for kind in ("registry", "dataset"):
        assert json.loads(repository.here(kind, "list", "--json").stdout) == [], "a pull request registers nothing"
    cases = {case.get("name"): case for case in ElementTree.fromstring(junit.read_bytes()).iter("testcase")}
    assert cases["gate"].find("failure") is not None
    assert cases["validate"].find("failure") is None
    text = markdown.read_text()
    assert text.startswith("<!-- flowyard pipeline: ticket_triage.pr -->\n## ❌ Stopped: ticket_triage")
    assert "classify=few_shot" in text
    assert "Simulated model" in text
    assert (output / "ticket_triage" / "experiment.html").is_file()
    assert "tests" in (output / "ticket_triage" / "validate.junit.xml").read_text()

    repository.write("triage/tests/test_own.py", "def test_own():\n    assert 1 + 1 == 3\n")
    assert repository.here("pipeline", "validate", "triage").returncode == 1
    (folder / "tests" / "test_own.py").unlink()
    repository.write("triage/flows/triage/parse.py", "def parse(:\n")
    repository.write("triage/golden.yaml", "cases: 1\n")
    found = repository.here("pipeline", "validate", "triage", "--json")
    assert found.returncode == 2
    failed = [check["name"] for check in json.loads(found.stdout)["checks"] if check["state"] == "failed"]
    assert set(failed) == {"Python", "lint", "deployment", "flow triage"}


def test_nobody_answers_in_time(repository: Repository):
    deployment = repository.root / CASE / "deployment.yaml"
    deployment.write_text(deployment.read_text().replace("    approval: not_required\n", ""))
    experiment = repository.root / CASE / "experiment.yaml"
    experiment.write_text(experiment.read_text().replace("timeout: 1h", "timeout: 1s"))
    late = repository.run("dev", CASE, "--until", "approval", code=4)
    assert states(late)["approval"] == "refused"
    assert "not come in time" in said(late, "approval")
    ledger = json.loads(repository.here("approval", "list", "--json").stdout)
    assert [each["state"] for each in ledger] == ["timed_out"]
    assert not (repository.home / "deployments" / "local").exists()


HOLDING = """\
import time
from pathlib import Path

from promptflow.core import tool


@tool
def work(x: str):
    until = time.monotonic() + 600
    while not Path("OPEN").exists() and time.monotonic() < until:
        time.sleep(0.01)
    return f"one {x}"
"""


def test_stopped_anywhere_the_same_command_goes_on(repository: Repository, tmp_path: Path):
    opened = tmp_path / "open"
    repository.write(f"{CASE}/flow/work.py", HOLDING.replace("OPEN", str(opened)))
    words = ("pipeline", "run", "pr", CASE, "--json")
    for how in (signal.SIGKILL, signal.SIGINT):
        log = tmp_path / f"{how}.log"
        with (
            log.open("w") as stderr,
            ending(start_flowyard(*words, cwd=repository.root, env=repository.variables({}), stderr=stderr)) as process,
        ):
            wait_until(lambda log=log: "  2. Run and evaluate" in log.read_text(), "the second stage", process)  # type: ignore[misc]
            process.send_signal(how)
            assert process.wait(timeout=PATIENCE_S) != 0
    opened.touch()
    done = repository.run("pr", CASE)
    assert set(states(done).values()) == {"done"}
    listed = [each for each in (repository.home / "pipelines" / "shop").iterdir() if each.is_dir()]
    assert [each.name for each in listed] == [done["key"]]


def test_a_use_case_that_cannot_begin_does_not_hold_up_others(repository: Repository):
    """Of three, two were never registered, and nobody can read what the third is called."""
    repository.use_case("store")
    repository.use_case("torn")
    for file in ("experiment.yaml", "deployment.yaml"):
        repository.write(f"cases/torn/{file}", "name: [\n")
    repository.git("add", "-A")
    names = ["shop", "store", "torn"]
    for words in ((), ("--changed-since", "HEAD"), ("--asking",)):
        planned = repository.here("pipeline", "plan", "prod", "--json", *words)
        chosen = names if "HEAD" not in words else names[1:]
        assert [each["name"] for each in json.loads(planned.stdout)["include"]] == chosen, planned.stderr
    junit, markdown = (repository.root.parent / "told" / name for name in ("all.xml", "all.md"))
    done = repository.here("pipeline", "run", "prod", "--json", "--junit", junit, "--markdown", markdown)
    assert done.returncode == 2
    found = json.loads(done.stdout)
    assert [(each["name"], each["exit_code"]) for each in found["usecases"]] == [(name, 2) for name in names]
    suites = ElementTree.fromstring(junit.read_bytes()).findall("testsuite")
    assert [(each.get("name"), each.get("errors")) for each in suites] == [(f"prod: {name}", "1") for name in names]
    for name in names:
        assert name in done.stderr
        assert f"## ❌ Stopped: {name} · prod" in markdown.read_text()


def test_the_report_is_of_the_files_that_are_checked_out(repository: Repository, tmp_path: Path):
    """Of two changes in one home; people who allow the first must not see the figures of the second."""
    runs, releases = PipelineLog(repository.home), ReleaseLog(repository.home)
    stages = [stage.name for stage in PIPELINES["dev"].stages]
    for word in ("one", "two"):
        repository.answer(CASE, word)
        files = {FILES: inputs_digest(repository.root, CASE)}
        runs.create("shop", env="dev", target="dev", by="ann", versions=files, steps=stages)
        made = releases.create("shop", env="dev", target="local", by="ann", versions={}, steps=["experiment"])
        releases.save(made.with_step("experiment", state="done", result={"name": "shop", "key": word}))
        folder = repository.home / "experiments" / "shop" / word
        folder.mkdir(parents=True)
        (folder / "report.md").write_text(f"figures of {word}\n")
    for word in ("one", "two"):
        repository.answer(CASE, word)
        assert repository.here("pipeline", "report", "dev", CASE, "--output", tmp_path / word).returncode == 0
        assert f"figures of {word}" in (tmp_path / word / "summary.md").read_text()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("run", "dve"), "dev"),
        (("run", "dev", "nowhere"), "nowhere"),
        (("run", "dev", "--from", "aproval"), "approval"),
        (("run", "dev", CASE, "--changed-since", "HEAD"), "not both"),
        (("run", "dev", CASE, "--version", "3"), "--version is for prod"),
        (("run", "dev", CASE, "--from", "approval"), "--from register"),
        (("run", "prod", CASE), "shop"),
        (("report", "dev", CASE, "--output", "x"), "never run"),
        (("comment", "--file", "nowhere.md"), "nowhere.md"),
        (("validate", "nowhere"), "nowhere"),
    ],
)
def test_wrong_input_is_told(repository: Repository, words: tuple[str, ...], text: str):
    done = repository.here("pipeline", *words)
    assert done.returncode == 2, done.stderr
    assert text in done.stderr
    assert done.stdout == ""


def test_a_second_job_of_a_pull_request_waits_for_the_first(repository: Repository, tmp_path: Path):
    """Two changes of one use case in one home: neither is turned away."""
    words = ("pipeline", "run", "pr", CASE, "--until", "validate")
    file = tmp_path / "stderr"
    log = PipelineLog(repository.home)
    with ExitStack() as stack, file.open("w") as stderr:
        with log.alone("shop", "pr"), log.alone("shop", "dev"):
            refused = repository.here("pipeline", "run", "dev", CASE)
            assert (refused.returncode, "then give the command again" in refused.stderr) == (2, True), refused.stderr
            started = start_flowyard(*words, cwd=repository.root, env=repository.variables({}), stderr=stderr)
            process = stack.enter_context(ending(started))
            waiting = "Waiting for another process that runs the pipeline pr of shop"
            wait_until(lambda: waiting in file.read_text("utf-8"), "that it waits", process)
        assert process.wait(timeout=PATIENCE_S) == 0, file.read_text("utf-8")

"""``flowyard release``: from the experiment to an approved version, stopped anywhere and gone on with."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from functional_helper import EXAMPLE, Completed, clean_environment, flowyard_here, quick_flowyard

from flowyard._util.checked_json import checked_text, take_checksum
from flowyard.release.steps import STEPS

DEV = ("--env", "dev")


class UseCase:
    """A copy of the example with a home of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        shutil.copytree(EXAMPLE, root, ignore=shutil.ignore_patterns(".flowyard", "deployment.yaml"))
        self.home = root.parent / "home"

    def __call__(self, *words: str | Path, **environment: str) -> Completed:
        return quick_flowyard(*words, cwd=self.root, env={"FLOWYARD_HOME": str(self.home), **environment}, timeout=240)

    def here(self, *words: str) -> Completed:
        """A command that starts no process."""
        return flowyard_here(*words, cwd=self.root, env={"FLOWYARD_HOME": str(self.home)})

    def json(self, *words: str | Path, code: int = 0, **environment: str) -> Any:
        done = self(*words, "--json", **environment)
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)

    def release(self, *words: str, code: int = 0) -> Any:
        return self.json("release", ".", *DEV, *words, code=code)

    def go_on(self, *words: str, code: int = 0) -> Any:
        """``release`` once more: what is left after its experiment starts no process."""
        done = self.here("release", ".", *DEV, *words, "--json")
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)

    def change(self, file: str, before: str, after: str) -> None:
        path = self.root / file
        text = path.read_text()
        assert before in text
        path.write_text(text.replace(before, after))

    def answer(self, decision: str) -> None:
        (pending,) = [each for each in self.json("approval", "list") if each["state"] == "pending"]
        self.json("approval", decision, pending["id"], "--reason", "seen")

    def versions(self) -> list[dict[str, Any]]:
        return self.json("registry", "show", "ticket_triage")["versions"]


@pytest.fixture
def use_case(tmp_path: Path) -> UseCase:
    return UseCase(tmp_path / "use_case")


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[UseCase, Any, Path]:
    """A use case whose first release waits for an answer, and a copy of all that is there then."""
    folder = tmp_path_factory.mktemp("first")
    made = UseCase(folder / "now" / "use_case")
    asked = made.release("--no-wait", code=4)
    shutil.copytree(folder / "now", folder / "then")
    return made, asked, folder / "then"


@pytest.fixture
def asking(first: tuple[UseCase, Any, Path]) -> tuple[UseCase, Any]:
    """That use case as it was then, and its release."""
    use_case, asked, then = first
    shutil.rmtree(use_case.home.parent)
    shutil.copytree(then, use_case.home.parent)
    return use_case, asked


def states(release: dict[str, Any]) -> dict[str, str]:
    return {step["name"]: step["state"] for step in release["steps"]}


def test_from_experiment_to_approved_version_in_two_calls(asking: tuple[UseCase, Any]):
    use_case, asked = asking
    assert asked["state"] == "unfinished"
    assert states(asked) == dict.fromkeys(["data", "experiment", "gates", "register"], "done") | {"approval": "running"}
    unanswered = use_case("approval", "require", "ticket_triage:1", "--env", "dev", "--target", "local")
    assert "flowyard approval approve" in unanswered.stderr  # not: ask once more
    use_case.answer("approve")
    done = use_case.go_on()
    assert (done["key"], done["state"], done["exit_code"]) == (asked["key"], "done", 0)
    (version,) = use_case.versions()
    assert (version["version"], version["digest"]) == (done["version"], done["digest"]) == (1, version["digest"])
    assert set(version["aliases"]) == {"approved@dev", "candidate"}
    known = {fact["kind"] for fact in version["lineage"]}
    assert known >= {"run", "metrics", "gates", "dataset", "evaluator", "approval"}
    subject = ("ticket_triage:1", "--env", "dev", "--target", "local")
    assert use_case("approval", "require", *subject).returncode == 0
    assert use_case("approval", "require", "ticket_triage:1", "--env", "prod", "--target", "local").returncode == 4


def test_an_unchanged_use_case_gets_no_new_version_and_asks_nobody_again(asking: tuple[UseCase, Any]):
    use_case, _ = asking
    use_case.answer("approve")
    first = use_case.go_on()
    again = use_case.release("--no-wait")
    assert again["key"] != first["key"]
    assert (again["version"], again["digest"], again["state"]) == (1, first["digest"], "done")
    assert len(use_case.versions()) == 1
    assert len(use_case.json("approval", "list")) == 1


def test_a_changed_prompt_is_a_new_version_that_needs_a_new_approval(asking: tuple[UseCase, Any]):
    use_case, _ = asking
    use_case.answer("approve")
    use_case.go_on()
    prompt = next(use_case.root.glob("flows/triage/*.jinja2"))
    prompt.write_text(prompt.read_text() + "\nBe brief.\n")
    changed = use_case.release("--no-wait", code=4)
    assert changed["version"] == 2
    assert states(changed)["approval"] == "running"
    require = ("approval", "require", "ticket_triage:2", "--env", "dev", "--target", "local")
    assert use_case(*require).returncode == 4


def test_a_gate_that_says_no_ends_it_before_anything_is_registered(use_case: UseCase):
    use_case.change("experiment.yaml", "accuracy >= 0.75", "accuracy >= 0.999")
    refused = use_case.release(code=3)
    assert states(refused) == {
        "data": "done",
        "experiment": "done",
        "gates": "refused",
        "register": "waiting",
        "approval": "waiting",
    }
    assert use_case("registry", "show", "ticket_triage").returncode == 2
    assert use_case.json("approval", "list") == []
    assert use_case.release(code=3)["key"] != refused["key"]  # a no is final; this one began anew


def test_a_person_who_says_no_ends_it(asking: tuple[UseCase, Any]):
    use_case, _ = asking
    use_case.answer("reject")
    refused = use_case.go_on(code=4)
    assert (refused["state"], states(refused)["approval"]) == ("refused", "refused")
    assert set(use_case.versions()[0]["aliases"]) == {"candidate"}


def test_nobody_answering_in_time_is_a_no(use_case: UseCase):
    use_case.change("experiment.yaml", "baseline:", "approval: {timeout: 1s}\nbaseline:")
    refused = use_case.release(code=4)
    assert refused["state"] == "refused"
    assert refused["steps"][-1]["result"]["state"] == "timed_out"


def test_each_step_can_be_the_last_and_the_same_command_goes_on(use_case: UseCase):
    keys = set()
    for step in ("data", "experiment", "gates", "register"):
        go_on = use_case.release if step == "experiment" else use_case.go_on
        release = go_on("--until", step)
        keys.add(release["key"])
        done = [name for name, state in states(release).items() if state == "done"]
        assert done[-1] == step
    assert len(keys) == 1
    runs = use_case.json("run", "list")
    use_case.go_on("--no-wait", code=4)
    assert use_case.json("run", "list") == runs


def test_what_changed_meanwhile_begins_a_new_release(use_case: UseCase):
    first = use_case.release("--until", "gates")
    use_case.change("data/tickets_dev.jsonl", "\n", "\n\n")
    done = use_case("release", ".", *DEV, "--until", "gates")
    assert first["key"] in done.stderr
    assert "this changed: the data 'tickets_dev'" in done.stderr
    assert len(use_case.json("release", "list")) == 2


def test_a_flow_that_is_changed_after_its_experiment_is_not_registered(use_case: UseCase):
    use_case.release("--until", "gates")
    prompt = next(use_case.root.glob("flows/triage/*.jinja2"))
    prompt.write_text(prompt.read_text() + "\nSay anything.\n")
    done = use_case("registry", "register", "flows/triage", "--name", "ticket_triage", "--experiment", "ticket_triage")
    assert done.returncode == 2
    assert "changed since" in done.stderr


def test_another_variant_ships_and_is_what_gates_judge(use_case: UseCase):
    release = use_case.release("--ship", "few_shot", "--variants", "all", "--until", "register")
    gates = next(step for step in release["steps"] if step["name"] == "gates")["result"]["gates"]
    assert {gate["variant"] for gate in gates} == {"classify=few_shot"}
    (version,) = use_case.versions()
    assert version["settings"]["variant"] == {"classify": "few_shot"}
    metrics = [fact for fact in version["lineage"] if fact["kind"] == "run"]
    assert {fact["value"]["variant"] for fact in metrics if fact["value"]["role"] != "evaluation"} == {
        "classify=few_shot"
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((".",), "--env"),
        ((".", "--env", "../up"), "../up"),
        ((".", "--env", "deev"), "dev"),
        ((".", *DEV, "--ship", "many_shot"), "many_shot"),
        (("nowhere", *DEV), "nowhere"),
        ((".", *DEV, "--until", "end"), "end"),
        ((".", *DEV, "--until", "build"), "no step 'build'"),
        ((".", *DEV, "--evaluate"), "--version"),
        ((".", *DEV, "--version", "9"), "ticket_triage"),
        (("show", "nothing"), "nothing"),
    ],
)
def test_wrong_input_is_told_and_begins_nothing(use_case: UseCase, words: tuple[str, ...], said: str):
    done = use_case.here("release", *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert use_case.json("release", "list") == []


def test_what_people_see(use_case: UseCase):
    done = use_case("release", ".", *DEV, "--no-wait", COLUMNS="80")
    assert done.returncode == 4
    assert "5. Ask for approval" in done.stderr
    assert "flowyard approval approve" in done.stderr
    shown = use_case("release", "show", "ticket_triage").stdout
    assert "unfinished" in shown
    assert "✓ gates" in shown
    listed = use_case("release", "list").stdout
    assert "dev (local)" in listed
    assert str(clean_environment()["HOME"]) not in listed


def test_a_yes_that_was_asked_for_under_weaker_rules_is_none(use_case: UseCase):
    block = "\napproval: {approvers: [ann], self_approval: false}\n"
    (use_case.root / "experiment.yaml").write_text((use_case.root / "experiment.yaml").read_text() + block)
    use_case.release("--until", "register")
    subject = ("ticket_triage:1", *DEV, "--target", "local")
    asked = use_case.json("approval", "request", *subject, "--by", "eve")
    use_case.json("approval", "approve", asked["id"], "--reason", "mine", "--by", "eve")
    assert use_case("approval", "require", *subject).returncode == 0
    refused = use_case("approval", "require", *subject, "--policy", "experiment.yaml")
    assert refused.returncode == 4
    assert "0 of 1 approvals count" in refused.stderr
    waiting = use_case.go_on("--no-wait", code=4)
    assert states(waiting)["approval"] == "running"
    (pending,) = use_case.json("approval", "list", "--pending")
    assert pending["id"] != asked["id"]
    assert pending["report"]["metrics"]["accuracy"].keys() >= {"value", "low", "high", "higher_is_better"}
    shown = use_case("approval", "show", pending["id"]).stdout
    assert "3,159 " in shown
    use_case.json("approval", "approve", pending["id"], "--reason", "seen", "--by", "ann")
    assert use_case("approval", "require", *subject, "--policy", "experiment.yaml").returncode == 0
    assert use_case.go_on()["state"] == "done"
    lineage = use_case.versions()[0]["lineage"]
    facts = [fact["value"]["request"] for fact in lineage if fact["kind"] == "approval"]
    assert sorted(facts) == sorted([asked["id"], pending["id"]])


def test_a_request_of_something_else_that_is_noted_is_not_taken(asking: tuple[UseCase, Any]):
    use_case, asked = asking
    other = use_case.json("approval", "request", "ticket_triage:1", "--env", "dev", "--target", "other")
    use_case.json("approval", "approve", other["id"], "--reason", "for another place")
    file = Path(asked["path"]) / "release.json"
    (own,) = [each["result"]["request"] for each in asked["steps"] if each["name"] == "approval"]
    body = json.loads(file.read_text().replace(own, other["id"]))
    take_checksum(body)
    file.write_text(checked_text(body))  # by somebody who knows how
    again = use_case.go_on("--no-wait", code=4)
    assert (again["key"], states(again)["approval"]) == (asked["key"], "running")
    assert again["steps"][-1]["result"]["request"] == own


def test_names_that_lead_elsewhere_are_refused(use_case: UseCase):
    for env in ("../../x", "x/y", "..", ""):
        assert use_case.here("release", ".", "--env", env).returncode == 2
    assert use_case("release", "show", "../../x").returncode == 2
    assert not [path for path in use_case.root.parent.iterdir() if path.name not in ("use_case", "home")]


def test_the_example_is_served_in_the_end(use_case: UseCase):
    shutil.copy(EXAMPLE / "deployment.yaml", use_case.root)
    use_case.release("--no-wait", code=4)
    use_case.answer("approve")
    try:
        done = use_case("release", ".", *DEV, "--json")
        assert states(json.loads(done.stdout)) == dict.fromkeys(STEPS[1:], "done"), done.stderr
        assert done.stderr.count("local runs the files of ticket_triage:1") == 1
        assert " to dev (local), " in done.stderr
        status = use_case.json("deploy", "status", ".", *DEV)
        assert [each["traffic"] for each in status["deployments"]] == [100]
        tested = use_case.json("endpoint", "test", "--usecase", ".", *DEV)
        assert "golden: a broken parcel" in [check["name"] for check in tested["checks"]]
        plan = use_case("deploy", "plan", ".", *DEV)
        assert "Nothing would change" in plan.stdout
        assert "no model answers here" in plan.stderr
    finally:
        gone = use_case("deploy", "remove", ".", *DEV)
    assert "nothing is deployed" in gone.stdout
    shares = use_case("deploy", "traffic", ".", *DEV)
    assert (shares.returncode, shares.stdout) == (2, "")
    assert "flowyard deploy apply . --env dev" in shares.stderr

"""A new use case of each template runs at once: flows, data, gates, its own tests, and its way to people."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from functional_helper import clean_environment, flowyard, flowyard_here

import flowyard as flowyard_api
from flowyard.deploy.endpoint_test.golden import read_golden
from flowyard.errors import ExitCode
from flowyard.scaffold import TEMPLATES, new_use_case

FLOWS = {
    "classification": "flows/classify",
    "chat": "flows/chat",
    "rag": "flows/answer",
    "agent": "flows/agent",
    "function": "flows/extract",
    "prompty": "flows/review/review.prompty",
}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a use case of each template, called after it."""
    root = tmp_path_factory.mktemp("repository")
    (root / ".flowyard").mkdir()
    for template in TEMPLATES:
        new_use_case(root, f"my_{template}", template)
    return root


def test_every_template_is_tried_here():
    assert tuple(FLOWS) == TEMPLATES


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_gates_of_production_pass_on_the_simulated_model(repository: Path, template: str):
    result = flowyard_api.Experiment(repository / f"my_{template}", env="prod").run()
    assert result.verdict == "pass"
    assert result.gates


@pytest.mark.parametrize("template", ["chat", "function", "prompty"])  # one of each kind of flow
def test_a_release_reaches_the_person_who_has_to_allow_it(repository: Path, template: str):
    done = flowyard("release", f"my_{template}", "--env", "dev", "--no-wait", "--json", cwd=repository)
    assert done.returncode == ExitCode.NOT_APPROVED, done.stdout + done.stderr
    steps = {step["name"]: step["state"] for step in json.loads(done.stdout)["steps"]}
    assert [steps[name] for name in ("data", "experiment", "gates", "register")] == ["done"] * 4


@pytest.mark.parametrize("template", TEMPLATES)
def test_its_flows_are_valid_and_answer_the_sample_request(repository: Path, template: str):
    folder = f"my_{template}"
    rules = ("--simulate", f"{folder}/simulation.yaml")
    flow = f"{folder}/{FLOWS[template]}"
    request = ("--inputs", f"{folder}/sample-request.json")
    checked = flowyard_here("flow", "validate", "--source", flow, *rules, cwd=repository)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "arning" not in checked.stderr
    tested = flowyard_here("flow", "test", "--flow", flow, *request, *rules, "--json", cwd=repository)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    plan = flowyard_here("experiment", "run", folder, "--env", "pr", "--dry-run", cwd=repository)
    assert plan.returncode == 0
    assert "arning" not in plan.stderr


@pytest.mark.parametrize("template", TEMPLATES)
def test_its_golden_cases_hold(repository: Path, template: str):
    folder = repository / f"my_{template}"
    flow = flowyard_api.load_flow(folder / FLOWS[template], simulate=folder / "simulation.yaml")
    problems = {
        case.name: [found for each in case.expect if (found := each.problem(flow(**case.request)))]
        for case in read_golden(folder / "golden.yaml")
    }
    assert len(problems) >= 2
    assert not any(problems.values()), problems


def test_the_tests_of_all_of_them_pass_together(repository: Path):
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "."]
    done = subprocess.run(
        words, cwd=repository, env=clean_environment(), capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout


def test_the_command_says_what_it_wrote_and_what_to_do_next(tmp_path: Path):
    done = flowyard_here("new", "order-desk", "--template", "function", "--json", cwd=tmp_path)
    view = json.loads(done.stdout)
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert set(view["files"]) == files
    assert "order-desk/tests/test_order_desk.py" in files
    assert "USE_CASE" not in "".join((tmp_path / name).read_text() for name in files)
    told = flowyard_here("new", "chatty", "--template", "chat", cwd=tmp_path).stdout
    assert "Try it: flowyard experiment run chatty" in told


@pytest.mark.parametrize(
    "name",
    ["../up", "/tmp/x", "a/b", ".hidden", "", "Con", "con", "class", "flows", "a b", "ünder", "-x", "a" * 49, "1a"],
)
def test_a_name_that_leads_elsewhere_or_means_something_else_is_refused(tmp_path: Path, name: str):
    below = tmp_path / "repository"
    below.mkdir()
    done = flowyard_here("new", "--template", "chat", "--", name, cwd=below)
    assert done.returncode == ExitCode.WRONG_INPUT
    assert list(tmp_path.rglob("*")) == [below]


def test_nothing_that_is_there_is_overwritten(tmp_path: Path):
    (tmp_path / "mine").mkdir()
    done = flowyard_here("new", "mine", cwd=tmp_path)
    assert done.returncode == ExitCode.WRONG_INPUT
    assert "is there already" in done.stderr
    (tmp_path / "elsewhere").symlink_to(tmp_path / "nowhere")
    assert flowyard_here("new", "elsewhere", cwd=tmp_path).returncode == ExitCode.WRONG_INPUT
    assert not list((tmp_path / "mine").iterdir())
    assert not (tmp_path / "nowhere").exists()

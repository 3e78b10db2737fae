"""Flows get the packages that they require, each its own, and nothing else is touched."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from environments_helper import make_wheel, slow_package, started, wheels_of_own_packages
from functional_helper import Project, clean_environment, ending, one_node_flow, wait_until

import flowyard
from flowyard.errors import UserError
from flowyard.flows.model import DagFlow
from flowyard.sessions.environments import SessionChoice, WorkerEnvironment, open_environment

BUILDER = """\
import sys
from pathlib import Path
from flowyard.sessions.environments import open_environment
folder, file, home = map(Path, sys.argv[1:])
with open_environment("venv", folder, file, home=home, say=print):
    print("open")
"""


class Flows:
    """Flow folders with requirements, all served from one folder of wheels."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / "home"
        self.wheels = root / "wheels"
        self.wheels.mkdir()
        self.said: list[str] = []
        self._open: list[WorkerEnvironment] = []

    def requirements(self, flow: str, *lines: str) -> Path:
        folder = self.root / flow
        folder.mkdir(exist_ok=True)
        file = folder / "requirements.txt"
        file.write_text("\n".join(["--no-index", "--find-links ../wheels", *lines]) + "\n")
        return file

    def venv(self, file: Path) -> WorkerEnvironment:
        environment = open_environment("venv", file.parent, file, home=self.home, say=self.said.append)
        self._open.append(environment)
        return environment

    def built(self) -> int:
        return sum(text.startswith("Building a virtual environment") for text in self.said)

    def close(self) -> None:
        for environment in self._open:
            environment.close()


@pytest.fixture
def flows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flows]:
    monkeypatch.setenv("UV_INDEX_URL", "http://127.0.0.1:9/none")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    made = Flows(tmp_path)
    yield made
    made.close()


@pytest.fixture(params=["uv", "pip"])
def tool(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both tools build; uv is left aside when only pip knows where packages come from."""
    if request.param == "pip":
        monkeypatch.delenv("UV_INDEX_URL")
        monkeypatch.setenv("PIP_NO_INDEX", "1")
    return str(request.param)


def test_a_flow_has_its_packages_and_flowyard(flows: Flows, tool: str):
    make_wheel(flows.wheels, "tinylib", "1.2", requires=["tinier>=1"])
    make_wheel(flows.wheels, "tinier", "1.9")
    file = flows.requirements("flow", "promptflow[azure]>=1.0", "tinylib")
    environment = flows.venv(file)
    assert f"with {tool}" in flows.said[0]
    (file.parent / "json.py").write_text("raise SystemExit('not this json')")
    with started(environment, cwd=file.parent, without="PYTHONPATH") as worker:
        assert worker.version_of("tinylib") == "1.2"
        assert worker.version_of("tinier") == "1.9"
        own = Path(worker.ask("__import__('flowyard').__file__")).resolve()
        assert own == Path(flowyard.__file__).resolve()
        for name in ("aiohttp", "click", "jinja2", "pydantic", "rich", "ruamel.yaml", "flowyard.engine"):
            assert worker.ask(f"bool(__import__({name!r}))")
        assert not worker.ask("bool(__import__('importlib.util').util.find_spec('pytest'))")
        assert worker.ask("__import__('sys').prefix") != sys.prefix


def test_flows_with_conflicting_requirements_run_side_by_side(flows: Flows):
    make_wheel(flows.wheels, "tinylib", "1.0")
    make_wheel(flows.wheels, "tinylib", "2.0")
    old, new = (flows.venv(flows.requirements(f"flow{number}", f"tinylib=={number}")) for number in (1, 2))
    with started(old) as one, started(new) as other:
        assert (one.version_of("tinylib"), other.version_of("tinylib")) == ("1.0", "2.0")


def test_an_environment_is_built_once_for_what_is_required(flows: Flows):
    make_wheel(flows.wheels, "tinylib", "1.0")
    make_wheel(flows.wheels, "other", "1.0")
    flows.venv(flows.requirements("flow", "tinylib == 1.0", "other"))
    flows.venv(flows.requirements("again", "# the same", "", "Other  # what", "tinylib==1.0"))
    assert flows.built() == 1
    flows.venv(flows.requirements("flow", "tinylib>=1.0", "other"))
    assert flows.built() == 2


def test_a_package_in_the_flows_folder_is_installed_and_built_again_when_it_changes(flows: Flows, tmp_path: Path):
    go = tmp_path / "go"
    go.touch()
    package = slow_package(tmp_path / "slow", flows.wheels, tmp_path / "started", go)
    file = flows.requirements("flow", "-e ../slow")
    with started(flows.venv(file)) as worker:
        assert worker.version_of("slowlib") == "1.0"
    (package / "README").write_text("more")
    flows.venv(file)
    assert flows.built() == 2


def test_a_pin_that_flowyard_cannot_use_is_refused_before_anything_is_built(flows: Flows):
    file = flows.requirements("flow", "click==7.0")
    with pytest.raises(UserError, match=r"pins click==7\.0, but flowyard.*needs click>=8") as caught:
        flows.venv(file)
    assert caught.value.where == f"{file}:3"
    assert flows.said == []


def test_versions_that_do_not_go_with_flowyard_are_refused(flows: Flows, tool: str):
    make_wheel(flows.wheels, "click", "7.0")
    file = flows.requirements("flow", "click")
    with pytest.raises(UserError, match=r"do not go with those of flowyard.*click>=8.*7\.0 is there") as caught:
        flows.venv(file)
    assert "build.log" in str(caught.value.hint)


def test_versions_are_chosen_that_suit_the_flow_and_flowyard(flows: Flows):
    wheels_of_own_packages(flows.wheels)
    make_wheel(flows.wheels, "markupsafe", "1.0")
    make_wheel(flows.wheels, "jinja2", "99.0", requires=["markupsafe>=1"])
    with started(flows.venv(flows.requirements("flow", "markupsafe==1.0"))) as worker:
        assert (worker.version_of("markupsafe"), worker.version_of("jinja2")) == ("1.0", "99.0")
        assert worker.ask("__import__('aiohttp').__file__").startswith(worker.ask("__import__('sys').prefix"))


def test_what_cannot_be_had_is_said_with_the_log(flows: Flows, tool: str):
    file = flows.requirements("flow", "nowhere-to-be-found==3")
    with pytest.raises(UserError, match="nowhere-to-be-found") as caught:
        flows.venv(file)
    assert caught.value.where == str(file)
    log = Path(str(caught.value.hint).rpartition(" ")[2])
    assert "nowhere-to-be-found" in log.read_text()
    assert flows.built() == 1
    make_wheel(flows.wheels, "nowhere_to_be_found", "3")
    with started(flows.venv(file)) as worker:
        assert worker.version_of("nowhere_to_be_found") == "3"


def test_passwords_in_addresses_are_kept_nowhere(flows: Flows, tool: str):
    make_wheel(flows.wheels, "tinylib", "1.0")
    flows.venv(flows.requirements("flow", "--extra-index-url http://me:s3cr3tword@127.0.0.1:9/simple", "tinylib"))
    kept = [file for file in flows.home.rglob("*") if file.is_file() and b"s3cr3tword" in file.read_bytes()]
    assert kept == []
    assert not any("s3cr3tword" in text for text in flows.said)


def builder(flows: Flows, file: Path) -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", BUILDER, *map(str, (file.parent, file, flows.home))]
    environ = clean_environment({"PYTHONPATH": str(Path(flowyard.__file__).parents[1])})
    return subprocess.Popen(argv, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_two_processes_build_once(flows: Flows, tmp_path: Path):
    begun, go = tmp_path / "begun", tmp_path / "go"
    slow_package(tmp_path / "slow", flows.wheels, begun, go)
    file = flows.requirements("flow", "../slow")
    with builder(flows, file) as one, ending(one), builder(flows, file) as other, ending(other):
        wait_until(begun.exists)
        go.touch()
        outputs = [process.communicate(timeout=240)[0] for process in (one, other)]
    assert [output.splitlines()[-1] for output in outputs] == ["open", "open"]
    assert sorted("Building a virtual" in output for output in outputs) == [False, True]


def test_what_a_killed_build_leaves_is_not_used(flows: Flows, project: Project, tmp_path: Path):
    begun, go = tmp_path / "begun", tmp_path / "go"
    slow_package(tmp_path / "slow", flows.wheels, begun, go)
    file = flows.requirements("flow", "../slow")
    with builder(flows, file) as process, ending(process):
        wait_until(begun.exists)
        process.send_signal(signal.SIGKILL)
    assert project.json("session", "list") == []
    go.touch()
    with started(flows.venv(file)) as worker:
        assert worker.version_of("slowlib") == "1.0"
    assert flows.built() == 1


def test_environments_are_listed_and_cleared_but_not_while_they_are_used(flows: Flows, project: Project):
    make_wheel(flows.wheels, "tinylib", "1.0")
    environment = flows.venv(flows.requirements("flow", "tinylib"))
    (listed,) = project.json("session", "list")
    assert (listed["kind"], listed["flow"], listed["requirements"]) == ("venv", "flow", ["tinylib"])
    assert listed["size_bytes"] > 0
    assert "tinylib" in project.run("session", "list").stdout
    assert project.json("session", "clear", "--unused-for", "1") == {"deleted": [], "kept": {}}
    assert project.json("session", "clear") == {"deleted": [], "kept": {listed["key"]: "it is in use"}}
    with started(environment) as worker:
        assert worker.version_of("tinylib") == "1.0"
    environment.close()
    assert project.json("session", "clear", listed["key"][:8])["deleted"] == [listed["key"]]
    assert project.json("session", "list") == []
    assert not Path(listed["path"]).exists()
    assert "no environment 'abc'" in project.run("session", "clear", "abc", code=2).stderr


def test_this_python_is_used_as_it_is_and_what_is_missing_is_said_once(tmp_path: Path):
    file = tmp_path / "requirements.txt"
    file.write_text(
        textwrap.dedent("""\
            promptflow
            promptflow-tools>=0.1
            nowhere-to-be-found[extra]>=2 ; python_version > "3"
            pytest<1
            click
            elsewhere ; sys_platform == "none"
        """)
    )
    said: list[str] = []
    with open_environment("current", tmp_path, file, home=tmp_path / "home", say=said.append) as environment:
        (message,) = said
        assert "nowhere-to-be-found>=2, pytest<1 (" in message
        assert "--session venv, or pip install -r" in message
        assert not any(name in message for name in ("promptflow", "click", "elsewhere"))
        with started(environment, cwd=tmp_path) as worker:
            assert worker.ask("__import__('sys').executable") == sys.executable
            assert worker.ask("__import__('flowyard').__file__") == flowyard.__file__
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(("named", "expected"), [("needs.txt", "needs.txt"), (None, None)])
def test_a_flow_says_which_file_it_is(tmp_path: Path, named: str | None, expected: str | None):
    (tmp_path / "requirements.txt").write_text("nowhere-to-be-found\n")
    environment = {"python_requirements_txt": named} if named else {}
    flow = DagFlow(name="f", file=tmp_path / "flow.dag.yaml", folder=tmp_path, environment=environment, nodes=())
    said: list[str] = []
    SessionChoice("current", tmp_path / "home", said.append).open(flow).close()
    assert bool(said) == bool(expected)
    assert all("needs.txt does not exist" in text for text in said)


def test_an_unknown_kind_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match="no session of the kind 'vnev'") as caught:
        open_environment("vnev", tmp_path, None, home=tmp_path, say=print)
    assert caught.value.hint == "Did you mean 'venv'?"


def test_a_flow_without_requirements_has_an_environment_too(flows: Flows):
    environment = flows.venv(flows.requirements("flow"))
    with started(environment) as worker:
        assert worker.ask("__import__('os').environ['PATH']").startswith(worker.ask("__import__('sys').prefix"))


VERSION_TOOL = """\
from promptflow.core import tool


@tool
def work(x: str):
    import helper
    import tinylib
    return f"{x} {helper.NAME} {tinylib.version}"
"""


def version_flow(project: Project, name: str, version: str) -> str:
    """A flow that says which version of a package it sees; each has a module ``helper`` of its own."""
    yaml = one_node_flow({"x": "string"}) + "environment: {python_requirements_txt: requirements.txt}\n"
    project.flow(name, yaml, work_py=VERSION_TOOL, helper_py=f"NAME = {name!r}\n")
    lines = ["--no-index", "--find-links ../wheels", "promptflow", f"tinylib=={version}"]
    project.write(f"{name}/requirements.txt", "\n".join(lines))
    make_wheel(project.root / "wheels", "tinylib", version)
    return name


def test_an_experiment_runs_flows_with_conflicting_requirements(project: Project):
    project.jsonl("data.jsonl", [{"x": "a"}, {"x": "b"}])
    version_flow(project, "asked", "1.0")
    version_flow(project, "judge", "2.0")
    project.write(
        "experiment.yaml",
        "name: both\nflow: asked\n"
        "datasets: [{name: d, source: data.jsonl, mappings: {x: '${data.x}'}}]\n"
        "evaluators:\n- {name: judged, flow: judge, datasets: [{name: d,"
        " mappings: {x: '${run.outputs.out}'}}]}\n",
    )
    done = project.run("experiment", "run", "experiment.yaml", "--session", "venv", timeout=240)
    assert done.stderr.count("Building a virtual environment") == 2
    outputs = {line for run in project.json("run", "list") for line in Path(run["outputs"]).read_text().splitlines()}
    assert {"a asked 1.0", "b asked 1.0"} <= {json.loads(line)["out"] for line in outputs}
    assert {"a asked 1.0 judge 2.0", "b asked 1.0 judge 2.0"} <= {json.loads(line)["out"] for line in outputs}


def test_a_run_says_what_is_missing_and_goes_on(project: Project):
    project.jsonl("data.jsonl", [{"x": "a"}])
    version_flow(project, "asked", "1.0")
    done = project.run("run", "create", "--flow", "asked", "--data", "data.jsonl", code=1)
    assert "requires what is not installed here: tinylib==1.0" in done.stderr
    assert "--session venv" in done.stderr
    assert "No module named 'tinylib'" in done.stderr

"""A flow's code in a container: a real engine, a real image, and what a person is told where there is none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from container_engine import EngineOfTests, running_engine
from environments_helper import Worker, echo_command, make_wheel, started, wheels_of_own_packages
from functional_helper import Project, clean_environment, ending, one_node_flow

import flowyard
from flowyard.errors import OutsideError, UserError
from flowyard.sessions.environments import WorkerEnvironment, open_environment

PASSWORD = "s3cr3tword"

TOOL = """\
import os

import tinylib
from promptflow.core import tool


@tool
def work(x: str):
    if x == "die":
        os._exit(3)
    return f"{x} {tinylib.version} {os.environ['MY_SETTING']} {os.path.exists('/opt/session')}"
"""


@pytest.fixture(scope="module")
def engine() -> Iterator[EngineOfTests]:
    with running_engine() as engine:
        yield engine


@pytest.fixture
def talking(engine: EngineOfTests, monkeypatch: pytest.MonkeyPatch) -> EngineOfTests:
    """The engine that commands find; pip in the image asks no index."""
    for name, value in engine.variables.items():
        monkeypatch.setenv(name, value)
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "PIP_NO_INDEX"):
        monkeypatch.delenv(name, raising=False)
    return engine


@pytest.fixture(scope="module")
def flow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A flow that requires one package; what flowyard needs lies beside it, where this Python is that of the image."""
    folder = tmp_path_factory.mktemp("a flow, with")
    make_wheel(folder / "wheels", "tinylib", "1.2")
    options = "--find-links wheels"
    if sys.version_info[:2] == (3, 11):
        wheels_of_own_packages(folder / "wheels")
        options += "\n--no-index"
    (folder / "requirements.txt").write_text(f"{options}\npromptflow\ntinylib\n")
    (folder / "flow.dag.yaml").write_text(one_node_flow({"x": "string"}))
    (folder / "work.py").write_text(TOOL)
    return folder


def open_container(flow: Path, home: Path, said: list[str]) -> WorkerEnvironment:
    return open_environment("container", flow, flow / "requirements.txt", home=home, say=said.append)


@pytest.mark.container
def test_a_flow_runs_in_a_container_of_its_own(
    flow: Path, talking: EngineOfTests, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    if sys.version_info[:2] == (3, 11):
        monkeypatch.setenv("PIP_INDEX_URL", f"http://me:{PASSWORD}@127.0.0.1:9/simple")
    monkeypatch.setenv("MY_API_KEY", PASSWORD)
    run, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    run.mkdir()
    elsewhere.mkdir()
    said: list[str] = []

    with open_container(flow, project.home, said) as environment:
        assert said[0].startswith("Building an image with docker from python:3.11-slim")
        with pytest.raises(UserError, match="cannot be shown to a container"):
            environment.paths_visible([tmp_path / "nowhere"])
        shown = environment.paths_visible([run])
        with started(shown, cwd=tmp_path) as worker:
            check_the_inside(worker, flow, run, elsewhere)
        assert (run / "result").read_text() == "written inside"
        assert (run / "result").stat().st_uid == os.getuid()
        assert not environment.inherits_variables
        assert PASSWORD not in " ".join(shown.command().argv)

        check_that_images_hold_no_password(talking)
        check_that_a_killed_worker_can_be_ended(shown, talking)

        check_that_a_run_survives_a_crash(flow, project)
        said.clear()
        open_container(flow, project.home, said).close()
        assert said == []
        (listed,) = project.json("session", "list")
        assert (listed["kind"], listed["requirements"], listed["tool"]) == ("container", ["tinylib"], "docker")
        assert listed["size_bytes"] > 1_000_000
        assert project.json("session", "clear")["kept"] == {listed["key"]: "it is in use"}

    assert project.json("session", "clear")["deleted"] == [listed["key"]]
    assert "flowyard-session" not in talking.docker("images")


def check_the_inside(worker: Worker, flow: Path, run: Path, elsewhere: Path) -> None:
    assert worker.version_of("tinylib") == "1.2"
    assert worker.ask("__import__('flowyard').__version__") == flowyard.__version__
    assert worker.ask("bool(__import__('aiohttp') and __import__('flowyard.engine'))")
    assert worker.ask("__import__('os').getcwd()") == str(flow)
    assert worker.ask("__import__('os').getuid()") == os.getuid()
    assert worker.ask("__import__('os').environ.get('MY_API_KEY')") is None
    assert worker.ask(f"__import__('os').path.exists({str(elsewhere)!r})") is False
    assert worker.ask(f"open({str(run / 'result')!r}, 'w').write('written inside')")
    assert worker.ask("__import__('os').access(__import__('flowyard').__file__, 2)") is False


def check_that_a_run_survives_a_crash(flow: Path, project: Project) -> None:
    """Over the command line: the worker that dies takes one line with it."""
    project.jsonl("data.jsonl", [{"x": "a"}, {"x": "die"}, {"x": "b"}])
    words = ("run", "create", "--flow", flow, "--data", "data.jsonl", "--session", "container", "--json")
    done = project.run(*words, "--concurrency", "1", code=1, env={"MY_SETTING": "on"}, timeout=240)
    lines = project.lines(json.loads(done.stdout))
    assert [line["status"] for line in lines] == ["completed", "failed", "completed"]
    assert [lines[number]["outputs"]["out"] for number in (0, 2)] == ["a 1.2 on True", "b 1.2 on True"]


def check_that_images_hold_no_password(engine: EngineOfTests) -> None:
    images = engine.docker("images", "--all", "--quiet").split()
    assert images
    for image in images:
        assert PASSWORD not in engine.docker("history", "--no-trunc", image)
        assert PASSWORD not in engine.docker("inspect", image)


def check_that_a_killed_worker_can_be_ended(environment: WorkerEnvironment, engine: EngineOfTests) -> None:
    command = echo_command(environment)
    environ = {**clean_environment(), **command.env}
    with (
        subprocess.Popen(command.argv, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process,
        ending(process),  # type: ignore[arg-type]
    ):
        worker = Worker(process)
        assert worker.ask("1 + 1") == 2
        worker.tell("__import__('time').sleep(3600)")
        process.kill()
        process.wait(timeout=60)
        assert process.stdin
        process.stdin.close()
        assert str(command.container) in engine.docker("ps", "--format", "{{.Names}}")
        environment.end(command)
        assert str(command.container) not in engine.docker("ps", "--all", "--format", "{{.Names}}")
        environment.end(command)


@pytest.mark.container
def test_an_image_that_cannot_be_built_is_an_error_with_the_log(talking: EngineOfTests, tmp_path: Path):
    (tmp_path / "requirements.txt").write_text("--no-index\nnowhere-to-be-found\n")
    said: list[str] = []
    with pytest.raises(UserError, match="nowhere-to-be-found") as caught:
        open_container(tmp_path, tmp_path / "home", said)
    assert "nowhere-to-be-found" in Path(str(caught.value.hint).rpartition(" ")[2]).read_text()


def test_without_an_engine_the_next_step_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "requirements.txt").touch()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OutsideError, match="neither docker nor podman") as caught:
        open_container(tmp_path, tmp_path / "home", [])
    assert "--session venv" in str(caught.value.hint)
    assert caught.value.exit_code == 5
    assert not (tmp_path / "home").exists()


def test_an_engine_that_does_not_answer_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "requirements.txt").touch()
    program = tmp_path / "docker"
    program.write_text("#!/bin/sh\necho Client: 1\necho 'Cannot connect to the Docker daemon.' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OutsideError, match=r"docker says: Cannot connect to the Docker daemon") as caught:
        open_container(tmp_path, tmp_path / "home", [])
    assert "--session venv" in str(caught.value.hint)


def test_a_password_in_an_address_is_refused(tmp_path: Path):
    (tmp_path / "requirements.txt").write_text(f"--extra-index-url http://me:{PASSWORD}@127.0.0.1:9/simple\n")
    with pytest.raises(UserError, match="holds a password") as caught:
        open_container(tmp_path, tmp_path / "home", [])
    assert caught.value.where == f"{tmp_path / 'requirements.txt'}:1"
    assert PASSWORD not in str(caught.value)

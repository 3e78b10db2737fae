"""``--backend ray`` on a real cluster of three nodes: the same results, whoever dies on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from functional_helper import (
    Project,
    clean_environment,
    ending,
    failed_numbers,
    read_jsonl,
    runs_of,
    start_flowyard,
    wait_until,
)
from places import HELPERS

NODES = 3
ONLY_HERE = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
SECRET = "a-word-that-no-file-may-hold"
ENVIRONMENT = {**ONLY_HERE, "VAULT": json.dumps({"type": "custom", "configs": {"n": "10"}, "secrets": {"w": SECRET}})}
"""Of whoever drives runs. The connection is not in the environment of the cluster."""
LONGEST_S = 120
MARK = "RAY_TEST_OF_FLOWYARD"
FLOW = """\
inputs: {x: {type: int}, gate: {type: string}}
outputs: {y: {type: int, reference: "${work.output}"}}
nodes:
- name: work
  type: python
  source: {type: code, path: work.py}
  inputs: {x: "${inputs.x}", gate: "${inputs.gate}", vault: vault}
- name: total
  type: python
  source: {type: code, path: total.py}
  inputs: {ys: "${work.output}"}
  aggregation: true
"""
WORK = """\
import os
import time
from pathlib import Path

from numbers_of_mine import ten
from promptflow.connections import CustomConnection
from promptflow.core import tool


@tool
def work(x: int, gate: str, vault: CustomConnection):
    assert len(vault.secrets["w"]) > 20
    while x >= 20 and gate and not Path(f"{gate}{x // 10}").exists():
        time.sleep(0.02)
    if x == -1:
        os._exit(3)
    if x == -2:
        os.kill(os.getpid(), 9)
    return x * ten()
"""
TOTAL = """\
from promptflow.core import log_metric, tool


@tool
def total(ys: list):
    log_metric("sum", sum(ys))
"""
LINES = 40


class Nodes:
    """The cluster, which runs as a program of its own."""

    def __init__(self, process: subprocess.Popen[str], address: str, folder: Path) -> None:
        self.address = address
        self.folder = folder
        self._process = process

    def kill_one(self) -> None:
        self._say("kill")

    def add_one(self) -> None:
        self._say("add")

    def _say(self, word: str) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done\n"


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    folder = Path("/tmp") / f"fy-{os.getpid()}"  # Ray's sockets are below it, and their paths must be short
    mark = str(folder)
    script = HELPERS / "ray_nodes.py"
    log = (tmp_path_factory.mktemp("ray") / "log").open("w+")
    try:
        with (
            log,
            subprocess.Popen(
                [sys.executable, script, folder, str(NODES)],
                env=clean_environment({MARK: mark, **ONLY_HERE}),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            ) as process,
        ):
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            log.seek(0)
            assert address, log.read()
            yield Nodes(process, address, folder)
    finally:
        left = processes_left(mark)
        for pid in left:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        subprocess.run(["rm", "-rf", folder], check=False)
    assert left == []


def processes_left(mark: str) -> list[int]:
    """Processes of the cluster that are still there after a while; a worker needs a moment to see that it is alone."""
    until = time.monotonic() + LONGEST_S
    while (left := marked_processes(mark)) and time.monotonic() < until:
        time.sleep(0.1)
    return left


def marked_processes(mark: str) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
            if f"{MARK}={mark}\0".encode() in (folder / "environ").read_bytes() and state != "Z":
                found.append(int(folder.name))
    return found


@pytest.fixture
def work(project: Project) -> Project:
    """A flow of two modules and an aggregation; lines from 20 on wait until a file is there, from 30 on for another."""
    project.flow("f", FLOW, work_py=WORK, total_py=TOTAL)
    project.write("f/numbers_of_mine.py", "def ten():\n    return 10\n")
    gate = str(project.root / "gate")
    project.jsonl("data.jsonl", [{"x": x, "gate": gate} for x in range(LINES)])
    return project


def on(nodes: Nodes, workers: int = 2) -> list[str]:
    return ["--backend", "ray", "--address", nodes.address, "--workers", str(workers)]


def words(name: str, data: str, *more: str) -> list[str]:
    return ["run", "create", "--flow", "f", "--data", data, "--name", name, *more]


def create(project: Project, *args: str, code: int = 0, env: dict[str, str] | None = None) -> Any:
    return json.loads(
        project.run(*args, "--json", code=code, env={**ENVIRONMENT, **(env or {})}, timeout=LONGEST_S).stdout
    )


def wait_for_lines(project: Project, process: subprocess.Popen[str], name: str, count: int) -> None:
    file = project.home / "runs" / name / "lines.jsonl"

    def are_there() -> bool:
        assert process.poll() is None
        return file.exists() and file.read_bytes().count(b"\n") >= count

    wait_until(are_there, "the lines did not end")


def assert_whole(project: Project, run: Any) -> None:
    """Every line once, with its own result, and the aggregation of all."""
    lines = project.lines(run)
    assert [line["line_number"] for line in lines] == list(range(LINES))
    assert read_jsonl(Path(run["path"]) / "outputs.jsonl") == [{"line_number": n, "y": n * 10} for n in range(LINES)]
    assert run["status"] == "completed"
    assert run["metrics"] == {"sum": sum(range(LINES)) * 10}
    assert not (Path(run["path"]) / "parts").exists()


def files_with(word: str, *folders: Path) -> list[Path]:
    """Files that hold a word: what Ray wrote, logs among it, and what the run did."""
    files = [file for folder in folders for file in folder.rglob("*") if file.is_file() and not file.is_symlink()]
    assert any(file.suffix == ".log" for file in files)
    return [file for file in files if word.encode() in file.read_bytes()]


def comparable(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Lines without what differs between two runs of the same."""
    differing = {"duration_s", "started_at", "crc32", "nodes"}
    return [
        {key: value for key, value in line.items() if key not in differing}
        | {"nodes": [{key: value for key, value in node.items() if key != "duration_s"} for node in line["nodes"]]}
        for line in lines
    ]


def test_a_run_on_a_cluster_of_its_own_is_the_same_as_without(work: Project, tmp_path: Path):
    work.jsonl("crash.jsonl", [{"x": {7: -1, 30: -2}.get(n, n), "gate": ""} for n in range(LINES)])
    storage = f"local://{work.root}/storage"  # not file://, so that it goes the way of object storage
    own = ["--backend", "ray", "--workers", "1", "--address", "local", "--storage", storage]
    here = create(work, *words("here", "crash.jsonl"), code=1)
    there = create(work, *words("there", "crash.jsonl", *own), code=1, env={MARK: str(tmp_path)})
    assert processes_left(str(tmp_path)) == []
    lines = work.lines(there)
    assert [line["line_number"] for line in lines] == list(range(LINES))
    assert failed_numbers(lines) == [7, 30]
    assert {lines[number]["error"]["type"] for number in (7, 30)} == {"WorkerCrashed"}
    assert comparable(lines) == comparable(work.lines(here))
    assert Path(there["outputs"]).read_bytes() == Path(here["outputs"]).read_bytes()
    assert there["metrics"] == here["metrics"] == {"sum": (sum(range(LINES)) - 7 - 30) * 10}
    assert not [file for file in (work.root / "storage").rglob("*") if file.is_file()]


def test_a_node_killed_in_the_middle_of_a_run(work: Project, nodes: Nodes):
    args = words("kill", "data.jsonl", *on(nodes, NODES), "--concurrency", "6", "--home", str(work.home))
    with ending(start_flowyard(*args, cwd=work.root, env=ENVIRONMENT)) as process:
        wait_for_lines(work, process, "kill", 20)
        nodes.kill_one()
        open_gates(work, 2, 3)
        code = process.wait(LONGEST_S)
    run = work.json("run", "show", "--name", "kill")
    assert code == 0, [line["error"] for line in work.lines(run) if line["error"]]
    nodes.add_one()
    assert_whole(work, run)
    assert files_with(SECRET, nodes.folder, work.home) == []


def test_a_run_that_is_interrupted_and_then_killed_is_resumed(work: Project, nodes: Nodes):
    home = ["--home", str(work.home)]
    stages = [(words("stop", "data.jsonl"), 20, signal.SIGINT), (["run", "resume", "stop"], 30, signal.SIGKILL)]
    for args, count, by in stages:
        with ending(start_flowyard(*args, *on(nodes), *home, cwd=work.root, env=ENVIRONMENT)) as process:
            wait_for_lines(work, process, "stop", count)
            process.send_signal(by)
            assert process.wait(LONGEST_S) == (130 if by == signal.SIGINT else -by)
        lines = work.lines(work.json("run", "show", "--name", "stop"))
        assert [line["line_number"] for line in lines] == list(range(count))
        open_gates(work, count // 10)
    assert_whole(work, create(work, "run", "resume", "stop", *on(nodes)))


def open_gates(project: Project, *tens: int) -> None:
    for ten in tens:
        project.write(f"gate{ten}", "")


def test_an_experiment(project: Project, nodes: Nodes):
    args = ["experiment", "run", project.example(), "--env", "dev", "--variants", "defaults", "--max-failed-lines", "2"]
    there = create(project, *args, *on(nodes))
    here = create(project, *args)

    def told(result: Any) -> list[Any]:
        return [(run["dataset"], run["variant"], run["lines"], run["metrics"]) for run in runs_of(result)]

    assert told(there) == told(here)
    assert {name: Path(str(file)).name for name, file in there["reports"].items() if name != "csv"} == {
        name: Path(str(file)).name for name, file in here["reports"].items() if name != "csv"
    }


def test_without_ray_it_is_said_how_to_install_it(work: Project, tmp_path: Path):
    work.write("none/ray.py", "raise ImportError\n")
    path = os.pathsep.join(filter(None, [str(work.root / "none"), os.environ.get("PYTHONPATH")]))
    args = words("none", "data.jsonl", "--backend", "ray")
    assert "pip install 'flowyard[ray]'" in work.rejected(*args, env={"PYTHONPATH": path})


@pytest.mark.parametrize(
    "more",
    [
        ["--address", "auto"],
        ["--storage", "s3://bucket/runs"],
        ["--backend", "ray", "--address", "ray://head:10001"],
        ["--backend", "ray", "--storage", "s3://name:word@bucket/runs"],
        ["--backend", "ray", "--storage", "no-such-thing://bucket"],
        ["--backend", "ray", "--storage", "relative"],
        ["--backend", "ray", "--session", "venv"],
    ],
)
def test_options_that_cannot_be_used_are_refused(work: Project, more: list[str]):
    assert work.rejected(*words("no", "data.jsonl", *more)).startswith("Error: ")

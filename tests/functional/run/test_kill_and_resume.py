"""A run that is killed, interrupted or tampered with goes on with ``flowyard run resume``."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from functional_helper import ASK_FLOW, ASK_TEMPLATE, Project, ending, one_node_flow, read_jsonl, start_flowyard

LINES = 120
AT_ONCE = 4
OPTIONS = ("--no-cache", "--concurrency", str(AT_ONCE))
KILLS = 12
LATENCY_S = 0.03
NEVER = 10**9
AHEAD = 4
"""How many lines more than run at once a worker may have finished before they are stored, at that latency."""


class CountingModel:
    """A model endpoint that counts its calls and answers each question always the same, but none above ``allow``."""

    def __init__(self) -> None:
        self.calls = 0
        self._most = NEVER
        self._change = threading.Condition()

    def allow(self, most: int) -> None:
        """Answer calls up to this number; later ones wait."""
        with self._change:
            self._most = most
            self._change.notify_all()

    def answer(self, body: dict[str, Any]) -> dict[str, Any]:
        question = body["messages"][-1]["content"].strip()
        with self._change:
            self.calls += 1
            number = self.calls
            self._change.wait_for(lambda: number <= self._most, timeout=120)
        time.sleep(LATENCY_S)  # so that lines are in flight
        message = {"role": "assistant", "content": f"About {question}: {len(question)}"}
        return {
            "id": "1",
            "object": "chat.completion",
            "model": body["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
        }

    @contextmanager
    def serving(self) -> Iterator[str]:
        """The address of the endpoint while it is served."""
        model = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                answer = json.dumps(
                    model.answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                ).encode()
                try:
                    self.send_response(200)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)
                except OSError:
                    self.close_connection = True  # whoever asked was killed

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            def handle_error(self, request: Any, client_address: Any) -> None:
                """Connections of killed processes break."""

        server = Server(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


@pytest.fixture
def model() -> CountingModel:
    return CountingModel()


@pytest.fixture
def address(model: CountingModel) -> Iterator[dict[str, str]]:
    """The environment variables with which flows reach the model."""
    with model.serving() as url:
        yield {"MY_MODEL_API_KEY": "sk-anything", "MY_MODEL_BASE_URL": url}


def wait_for(look: Callable[[], Any], process: subprocess.Popen[str], longest_s: float = 90) -> Any:
    """What ``look`` finds as soon as it is true; None when the process ends before."""
    until = time.monotonic() + longest_s
    while not (found := look()):
        if process.poll() is not None:
            return None
        assert time.monotonic() < until, "it never came"
        time.sleep(0.002)
    return found


def test_kills_at_random_moments(project: Project, model: CountingModel, address: dict[str, str]):
    create = ask(project)
    undisturbed = project.json(*create, "--name", "undisturbed", env=address)
    assert model.calls == undisturbed["usage"]["calls"] == LINES
    kills = kill_until_done(project, model, [*create, "--name", "killed"], address)
    assert kills == KILLS
    run = project.json("run", "resume", "killed", *OPTIONS, env=address)
    assert run["status"] == "completed"
    assert run["lines"] == {"total": LINES, "completed": LINES, "failed": 0}
    stored = [line["line_number"] for line in read_jsonl(Path(run["path"]) / "lines.jsonl")]
    assert sorted(stored) == list(range(LINES))
    assert Path(run["outputs"]).read_bytes() == Path(undisturbed["outputs"]).read_bytes()
    assert LINES <= model.calls - LINES <= LINES + (AT_ONCE + AHEAD) * kills
    assert run["usage"]["calls"] == LINES
    assert_nothing_is_left(project, run, address)
    assert model.calls - LINES <= LINES + (AT_ONCE + AHEAD) * kills


def ask(project: Project) -> list[str]:
    flow = project.flow("ask", ASK_FLOW, ask_jinja2=ASK_TEMPLATE)
    data = project.jsonl("questions.jsonl", [{"question": f"question {n}"} for n in range(LINES)])
    return ["run", "create", "--flow", flow, "--data", data, *OPTIONS]


def kill_until_done(project: Project, model: CountingModel, create: list[str], env: dict[str, str]) -> int:
    """Kill the run again and again, each time a few calls on; returns how often."""
    draw = random.Random(20)
    words, kills = create, 0
    while kills < KILLS:
        reached = model.calls + draw.randint(1, LINES // KILLS - 4)
        model.allow(reached + 2)  # however late the kill comes, the run is not done before
        with ending(start_flowyard(*words, "--home", project.home, cwd=project.root, env=env)) as process:
            assert wait_for(lambda: model.calls >= reached, process), "it ended before it was killed"  # noqa: B023
            time.sleep(draw.random() * LATENCY_S)
            process.kill()
        words, kills = ["run", "resume", "killed", *OPTIONS], kills + 1
    model.allow(NEVER)
    return kills


def assert_nothing_is_left(project: Project, run: dict[str, Any], env: dict[str, str] | None = None) -> None:
    before = {file: file.read_bytes() for file in Path(run["path"]).iterdir() if file.name != "hold.lock"}
    done = project.run("run", "resume", run["name"], env=env, code=1 if run["lines"]["failed"] else 0)
    assert f"Run '{run['name']}' is complete: nothing is left to run." in done.stderr
    assert {file: file.read_bytes() for file in before} == before


SLOW = """\
import time
from pathlib import Path

from promptflow.core import tool

GATE = Path(__file__).parents[1] / "gate"


@tool
def work(x: int):
    until = time.monotonic() + 120
    while x >= 5 and not GATE.exists() and time.monotonic() < until:
        time.sleep(0.01)
    if x == 3 and not GATE.exists():
        raise ValueError("not yet")
    return x * 2
"""


@pytest.fixture
def gated(project: Project) -> Project:
    """A flow whose lines from number 5 on wait for the file ``gate``, and of which line 3 fails without it."""
    project.flow("f", one_node_flow({"x": "int"}), work_py=SLOW)
    project.jsonl("data.jsonl", [{"x": x} for x in range(20)])
    return project


CREATE = ("run", "create", "--flow", "f", "--data", "data.jsonl", "--name", "r", "--concurrency", "2")


def started(project: Project, *words: str, **streams: Any) -> subprocess.Popen[str]:
    return start_flowyard(*words, "--home", project.home, cwd=project.root, **streams)


def stop(project: Project, how: signal.Signals, *words: str) -> tuple[int, str]:
    """Start a command, send a signal when five lines are stored; returns its exit code and what it said."""
    lines = project.home / "runs" / "r" / "lines.jsonl"
    with ending(started(project, *words, stderr=subprocess.PIPE)) as process:
        assert wait_for(lambda: lines.exists() and lines.read_bytes().count(b"\n") >= 5, process)
        process.send_signal(how)
        said = process.communicate(timeout=60)[1]
        return process.returncode, said


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_runs_say_how_to_go_on(gated: Project, how: signal.Signals):
    code, said = stop(gated, how, *CREATE)
    assert code == 130
    assert "Traceback" not in said
    assert "r: canceled, 4 completed, 1 failed of 20" in said
    assert "go on with: flowyard run resume r" in said
    shown = gated.json("run", "show", "-n", "r")
    assert (shown["status"], shown["lines"]) == ("canceled", {"total": 20, "completed": 4, "failed": 1})
    gated.write("gate", "")
    run = gated.json("run", "resume", "r", code=1)
    assert run["lines"] == {"total": 20, "completed": 19, "failed": 1}
    assert [line["line_number"] for line in read_jsonl(run["outputs"])] == [x for x in range(20) if x != 3]


def test_failed_lines_are_retried_when_asked(gated: Project):
    stop(gated, signal.SIGKILL, *CREATE)
    gated.write("gate", "")
    first = gated.json("run", "resume", "r", code=1)
    assert first["lines"] == {"total": 20, "completed": 19, "failed": 1}
    assert_nothing_is_left(gated, first)
    run = gated.json("run", "resume", "r", "--retry-failed")
    assert run["lines"] == {"total": 20, "completed": 20, "failed": 0}
    assert [line["out"] for line in read_jsonl(run["outputs"])] == [2 * x for x in range(20)]
    assert len(read_jsonl(Path(run["path"]) / "lines.jsonl")) == 21
    assert_nothing_is_left(gated, run)


def test_one_process_at_a_time(gated: Project):
    lines = gated.home / "runs" / "r" / "lines.jsonl"
    with ending(started(gated, *CREATE)) as process:
        assert wait_for(lambda: lines.exists() and lines.read_bytes().count(b"\n") >= 5, process)
        for words in [("run", "resume", "r"), CREATE]:
            said = gated.run(*words, code=2).stderr
            assert "is running" in said or "already exists" in said
        gated.write("gate", "")
        assert process.wait(timeout=60) == 1
    assert len(read_jsonl(lines)) == 20


def test_a_changed_flow_or_data_is_noticed(gated: Project):
    stop(gated, signal.SIGKILL, *CREATE)
    kept = (gated.home / "runs" / "r" / "lines.jsonl").read_bytes()
    gated.write("gate", "")
    gated.write("f/work.py", SLOW.replace("x * 2", "x * 3"))
    said = gated.run("run", "resume", "r", code=2).stderr
    assert "The flow of run 'r' changed since it began" in said
    assert "flowyard run resume r --anyway" in said
    gated.write("f/work.py", SLOW)
    gated.jsonl("data.jsonl", [{"x": 2 * x} for x in range(20)])
    assert "The data of run 'r' changed since it began" in gated.run("run", "resume", "r", code=2).stderr
    assert (gated.home / "runs" / "r" / "lines.jsonl").read_bytes() == kept
    run = gated.json("run", "resume", "r", "--anyway", code=1)
    assert "The data changed before the run was resumed." in run["warnings"]
    outputs = {line["line_number"]: line["out"] for line in read_jsonl(run["outputs"])}
    assert outputs == {x: 2 * x if x < 5 else 4 * x for x in range(20) if x != 3}

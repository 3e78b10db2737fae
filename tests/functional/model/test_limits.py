"""Limits, refusals and failures of a real endpoint over HTTP, through the command line and between processes."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from functional_helper import ASK_FLOW, ASK_TEMPLATE, Project, clean_environment, ending
from limited_server import Answer, LimitedServer, limited_server, refused

from flowyard.llm.pacing.fields import PAUSED_UNTIL
from flowyard.llm.pacing.table import open_table

CLOCK_S = 0.05
"""What two clocks may differ by."""


def asking(project: Project, rows: int) -> tuple[str, str]:
    flow = project.flow("ask", ASK_FLOW, ask_jinja2=ASK_TEMPLATE)
    return flow, project.jsonl("data.jsonl", [{"question": f"q{row}"} for row in range(rows)])


def variables(server: LimitedServer) -> dict[str, str]:
    return {"MY_MODEL_BASE_URL": server.url, "MY_MODEL_API_KEY": "sk-1"}


def create(project: Project, server: LimitedServer, *options: str, rows: int = 8, code: int = 0) -> Any:
    flow, data = asking(project, rows)
    return project.json("run", "create", "--flow", flow, "--data", data, *options, code=code, env=variables(server))


def test_a_run_keeps_to_its_limit(project: Project) -> None:
    with limited_server() as server:
        run = create(project, server, "--limits", "my_model=rpm:600,tpm:1000000", rows=20)
    # 12 calls at once, then 589 a minute
    assert run["duration_s"] >= (20 - 12) / (589 / 60) - CLOCK_S
    assert (len(server.asked), run["lines"]["completed"]) == (20, 20)


def test_the_workers_of_a_run_share_its_limit(project: Project) -> None:
    with limited_server() as server:
        run = create(project, server, "--limits", "*=rpm:600", "--workers", "2", rows=24)
    assert run["duration_s"] >= (24 - 12) / (589 / 60) - CLOCK_S
    assert (len(server.asked), run["lines"]["completed"]) == (24, 24)
    assert (project.home / "pace" / "connections").stat().st_mode & 0o777 == 0o600


def test_limits_may_stand_in_the_runs_file(project: Project) -> None:
    flow, data = asking(project, 3)
    project.write("run.yaml", f"flow: {flow}\ndata: {data}\nlimits:\n  my_model: {{rpm: 90}}\n")
    with limited_server() as server:
        run = project.json("run", "create", "-f", "run.yaml", env=variables(server))
        quick = project.json(
            "run", "create", "-f", "run.yaml", "--limits", "my_model=rpm:100000", env=variables(server)
        )
    assert run["duration_s"] >= 2 * 60 / 90 - CLOCK_S
    assert quick["lines"]["completed"] == 3
    wrong = project.run("run", "create", "-f", "run.yaml", "--set", "limits.my_model=x", code=2)
    assert "limits.my_model" in wrong.stderr


def test_a_limit_of_an_unknown_connection_is_refused(project: Project) -> None:
    flow, data = asking(project, 1)
    said = project.rejected("run", "create", "--flow", flow, "--data", data, "--limits", "my_modle=rpm:5")
    assert "A limit needs the connection 'my_modle'" in said


CHILD = """
import asyncio, sys
from pathlib import Path
from flowyard.llm import CallRules, ProviderOpener
from flowyard.llm.connection import OpenAIConnection
from flowyard.llm.pacing import RateLimit
from flowyard.records import ModelRequest

url, file, calls = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
rules = CallRules(limits={"m": RateLimit(rpm=600)}, pace_file=file)

async def main():
    provider = ProviderOpener(rules)(OpenAIConnection(base_url=url, name="m"))
    print("ready", flush=True)
    sys.stdin.readline()
    request = ModelRequest("chat", "m", {"messages": []})
    replies = await asyncio.gather(*(provider.call(request) for _ in range(calls)))
    await provider.close()
    print(sum(reply.usage.refused_calls for reply in replies))

asyncio.run(main())
"""


@contextmanager
def ready_workers(server: LimitedServer, file: Path, *calls: int) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that share a pace file and are about to make so many calls each."""
    with ExitStack() as stack:
        children = []
        for count in calls:
            child = subprocess.Popen(
                [sys.executable, "-c", CHILD, server.url, file, str(count)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=clean_environment(),
            )
            children.append(stack.enter_context(ending(child)))
        for child in children:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
        yield children


def go(child: subprocess.Popen[str]) -> None:
    assert child.stdin is not None
    child.stdin.write("go\n")
    child.stdin.flush()


def refusals(child: subprocess.Popen[str]) -> int:
    """How many calls of a worker were refused, when it is done."""
    said, _ = child.communicate(timeout=60)
    assert child.returncode == 0
    return int(said)


def test_processes_with_one_pace_file_share_its_limits(tmp_path: Path) -> None:
    with limited_server() as server, ready_workers(server, tmp_path / "pace", 15, 15) as children:
        started = time.monotonic()
        for child in children:
            go(child)
        assert [refusals(child) for child in children] == [0, 0]
    arrived = sorted(monotonic - started for monotonic, _ in server.asked)
    assert len(arrived) == 30
    # Calls may come late on a busy machine, but none before its turn: 12 at once, then 589 a minute.
    assert [time for place, time in enumerate(arrived) if time < (place + 1 - 12) / (589 / 60) - CLOCK_S] == []


def test_a_refusal_pauses_the_other_processes_too(tmp_path: Path) -> None:
    file = tmp_path / "pace"

    def behave(number: int, body: dict[str, Any]) -> Answer | None:
        return refused(429, Retry_After="1") if number == 1 else None

    with limited_server(behave) as server, ready_workers(server, file, 1, 3) as (first, second):
        fields = open_table(file).row("m").fields
        go(first)
        until = time.monotonic() + 30
        while not fields[PAUSED_UNTIL] and time.monotonic() < until:
            time.sleep(0.01)
        paused_until = fields[PAUSED_UNTIL]
        go(second)
        assert (refusals(first), refusals(second)) == (1, 0)
    assert paused_until >= server.asked[0][0] + 1 - CLOCK_S
    assert len(server.asked) == 5
    assert all(monotonic >= paused_until - CLOCK_S for monotonic, _ in server.asked[1:])


@pytest.mark.parametrize(("header", "value"), [("Retry-After", "1"), ("retry-after-ms", "700")])
def test_retry_after_is_waited_for(project: Project, header: str, value: str) -> None:
    wait_s = 0.7 if header.endswith("ms") else 1.0
    with limited_server(lambda number, body: (429, {header: value}, {}) if number == 1 else None) as server:
        run = create(project, server, "--concurrency", "1", rows=2)
    first, second = (monotonic for monotonic, _ in server.asked[:2])
    assert second - first >= wait_s - CLOCK_S
    assert (run["usage"]["refused_calls"], run["usage"]["calls"], len(server.asked)) == (1, 2, 3)


def test_retry_after_as_a_date_is_waited_for(project: Project) -> None:
    moment = []

    def behave(number: int, body: dict[str, Any]) -> Any:
        if number > 1:
            return None
        moment.append(datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2))
        return refused(429, Retry_After=format_datetime(moment[0], usegmt=True))

    with limited_server(behave) as server:
        run = create(project, server, "--concurrency", "1", rows=2)
    assert server.asked[1][1] >= moment[0].timestamp() - CLOCK_S
    assert run["lines"]["completed"] == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_some_answers_are_final(project: Project, status: int) -> None:
    with limited_server(lambda number, body: refused(status)) as server:
        run = create(project, server, rows=5, code=1)
    assert (len(server.asked), run["lines"]["failed"], run["usage"]["refused_calls"]) == (5, 5, 0)


def test_refusals_of_failed_lines_are_counted(project: Project) -> None:
    with limited_server(lambda number, body: refused(429, Retry_After="5000")) as server:
        run = create(project, server, rows=3, code=1)
    assert run["usage"]["refused_calls"] == len(server.asked)
    assert (run["usage"]["calls"], run["lines"]["failed"]) == (0, 3)
    failed = [line["error"]["message"] for line in project.lines(run)]
    assert all("429" in message or "asked not to be called" in message for message in failed)

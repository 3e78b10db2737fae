"""Projects on disk and the command line run over them, as a person would."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import IO, Any, TypeVar
from unittest.mock import patch

from places import EXAMPLE
from quick_commands import fits_here
from warm_start import warm_run

from flowyard.cli.main import main

Completed = subprocess.CompletedProcess[str]
Found = TypeVar("Found")

PATIENCE_S = 240
"""How long something is waited for that takes a moment, on a machine that may do much else."""

ECHO_TOOL = """\
from promptflow.core import tool


@tool
def work(x: str):
    return x
"""

ASK_FLOW = """\
inputs:
  question: {type: string}
outputs:
  answer: {type: string, reference: "${ask.output}"}
nodes:
- name: ask
  type: llm
  source: {type: code, path: ask.jinja2}
  inputs:
    model: small
    deployment_name: small
    question: ${inputs.question}
  connection: my_model
  api: chat
"""

ASK_TEMPLATE = """\
# system:
You answer in one word.
# user:
{{ question }}
"""

RULES = """\
seed: 3
rules:
- when: {user: 'capital of (?P<country>\\w+)'}
  reply: "The capital."
- when: {system: 'one word'}
  reply: "Answer {{ '%.3f' | format(number) }}"
"""


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment without what would change flowyard's answers."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(("FLOWYARD_", "TRIAGE_", "MY_MODEL", "OPENAI_", "AZURE_"))
        and name.lower() not in ("http_proxy", "https_proxy", "all_proxy")
    }
    return {**inherited, "COLUMNS": "200", **(extra or {})}


def command_line(args: Iterable[str | Path]) -> list[str]:
    return [sys.executable, "-m", "flowyard", *map(str, args)]


def flowyard(
    *args: str | Path, cwd: Path, env: Mapping[str, str] | None = None, timeout: float = PATIENCE_S
) -> subprocess.CompletedProcess[str]:
    """Run the command line and wait for it."""
    return subprocess.run(
        command_line(args),
        cwd=cwd,
        env=clean_environment(env),
        timeout=timeout,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


@contextmanager
def in_this_process(folder: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """A folder to be in and exactly these variables; all that a command changes in its process is put back."""
    before, place, handler = dict(os.environ), Path.cwd(), signal.getsignal(signal.SIGTERM)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(place)
        signal.signal(signal.SIGTERM, handler)
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def no_input() -> Iterator[None]:
    """Who reads from the standard input finds its end."""
    with Path(os.devnull).open() as nothing, patch.object(sys, "stdin", nothing):
        yield


def flowyard_here(*args: str | Path, cwd: Path, env: Mapping[str, str] | None = None) -> Completed:
    """Run the command line in this process, which has imported everything already; for what starts no process."""
    out, err, words, code = StringIO(), StringIO(), list(map(str, args)), 0
    with in_this_process(cwd, clean_environment(env)), redirect_stdout(out), redirect_stderr(err), no_input():
        try:
            main(words)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())


def quick_flowyard(
    *args: str | Path, cwd: Path, env: Mapping[str, str] | None = None, timeout: float = PATIENCE_S
) -> Completed:
    """Run the command line, in this process where that makes no difference, or in one that has imported everything."""
    words = list(map(str, args))
    if fits_here(words, env or {}):
        return flowyard_here(*words, cwd=cwd, env=env)
    done = warm_run(words, cwd, clean_environment(env), timeout)
    return flowyard(*words, cwd=cwd, env=env, timeout=timeout) if done is None else done


def start_flowyard(
    *args: str | Path,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    stdout: int | IO[str] = subprocess.DEVNULL,
    stderr: int | IO[str] = subprocess.DEVNULL,
) -> subprocess.Popen[str]:
    """Start the command line without waiting; it can be interrupted even when pytest itself ignores SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(
            command_line(args),
            cwd=cwd,
            env=clean_environment(env),
            stdout=stdout,
            stderr=stderr,
            text=True,
            start_new_session=True,
        )
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def ending(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """A started process that is gone afterwards, whatever happened."""
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(timeout=PATIENCE_S)


def wait_for_text(file: Path, seconds: float = PATIENCE_S) -> str:
    """What a process writes into a file, such as its address once it listens."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if file.exists() and (text := file.read_text()):
            return text.strip()
        time.sleep(0.02)
    raise AssertionError(f"{file.name} was not written within {seconds} s")


def wait_until(look: Callable[[], Found], what: str = "", process: subprocess.Popen[str] | None = None) -> Found:
    """What ``look`` finds as soon as it is true. A process that is given must not end before."""
    until = time.monotonic() + PATIENCE_S
    while not (found := look()):
        assert process is None or process.poll() is None, f"it ended before: {what}"
        assert time.monotonic() < until, f"not within {PATIENCE_S} s: {what}"
        time.sleep(0.02)
    return found


def one_node_flow(inputs: Mapping[str, str], outputs: Mapping[str, str] | None = None, connection: str = "") -> str:
    """A flow with one python node ``work`` (work.py) that takes every input."""
    lines = ["inputs:"]
    lines += [f"  {name}: {{type: {kind}}}" for name, kind in inputs.items()]
    lines += ["outputs:"]
    for name, reference in (outputs or {"out": "${work.output}"}).items():
        lines += [f'  {name}: {{type: string, reference: "{reference}"}}']
    lines += ["nodes:", "- name: work", "  type: python", "  source: {type: code, path: work.py}", "  inputs:"]
    lines += [f"    {name}: ${{inputs.{name}}}" for name in inputs]
    if connection:
        lines += [f"    conn: {connection}"]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Project:
    """A folder with flows and data, and a home for results beside it."""

    root: Path
    home: Path

    def write(self, path: str, text: str) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def flow(self, name: str, yaml: str, **files: str) -> str:
        """Write a flow; ``work_py="…"`` is its file work.py."""
        self.write(f"{name}/flow.dag.yaml", yaml)
        for file, text in files.items():
            stem, _, suffix = file.rpartition("_")
            self.write(f"{name}/{stem}.{suffix}", text)
        return name

    def echo_flow(self, name: str = "echo") -> str:
        return self.flow(name, one_node_flow({"x": "string"}), work_py=ECHO_TOOL)

    def jsonl(self, path: str, rows: Iterable[Any]) -> str:
        self.write(path, "".join(json.dumps(row) + "\n" for row in rows))
        return path

    def example(self) -> str:
        shutil.copytree(EXAMPLE, self.root / "triage", ignore=shutil.ignore_patterns(".flowyard", "__pycache__"))
        return "triage"

    def run(
        self, *args: str | Path, code: int | None = 0, env: Mapping[str, str] | None = None, timeout: float = PATIENCE_S
    ) -> Completed:
        """Run a command with this home; ``code`` is the exit code it must have."""
        done = quick_flowyard(*args, "--home", self.home, cwd=self.root, env=env, timeout=timeout)
        if code is not None:
            assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def json(self, *args: str | Path, code: int = 0, env: Mapping[str, str] | None = None) -> Any:
        """Run a command with --json; its whole stdout must be one JSON value."""
        return json.loads(self.run(*args, "--json", code=code, env=env).stdout)

    def rejected(self, *args: str | Path, env: Mapping[str, str] | None = None) -> str:
        """Run a command on wrong input; returns what it says: one screen, nothing on stdout, nothing written."""
        done = self.run(*args, code=2, env=env)
        assert done.stdout == ""
        assert 1 <= len(done.stderr.splitlines()) <= 20, done.stderr
        assert not self.home.exists(), sorted(self.home.rglob("*"))
        return done.stderr

    def lines(self, run: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The records of lines.jsonl by line number."""
        return sorted(read_jsonl(Path(run["path"]) / "lines.jsonl"), key=lambda line: line["line_number"])


def runs_of(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The runs of an experiment, each followed by its evaluations."""
    return [each for run in result["runs"] for each in (run, *run["evaluations"])]


def read_jsonl(path: str | Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def all_text(folder: Path) -> str:
    """Every file below a folder as one text, databases with what is text in them."""
    files = (file for file in sorted(folder.rglob("*")) if file.is_file())
    return "\n".join(file.read_text(encoding="utf-8", errors="replace") for file in files)


def failed_numbers(lines: Sequence[Mapping[str, Any]]) -> list[int]:
    return [line["line_number"] for line in lines if line["status"] == "failed"]


def locked_program(name: str) -> Path:
    """A program that the lock of development brings, beside this Python."""
    return Path(sys.executable).parent / name

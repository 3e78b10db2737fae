"""The command of a stage in a process of its own, which does not outlive the pipeline."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from typing import IO

import click

from flowyard._util.ci_commands import without_ci_commands
from flowyard._util.end_with import end_with
from flowyard._util.printable import printable_text
from flowyard.cli.main import main
from flowyard.pipelines.run import CommandDone

__all__ = ["run_command"]

_LAST_LINES = 30
_ENDING_S = 60
"""How long a command that was interrupted may put things in order."""


def run_command(words: Sequence[str], most_s: float | None) -> CommandDone:
    """Run ``flowyard WORDS``; what it tells goes on to stderr. Interrupted, it is interrupted and waited for."""
    command = [sys.executable, "-P", "-m", __name__, str(os.getpid()), *words]
    with subprocess.Popen(  # noqa: S603 - ourselves
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
    ) as process:
        told: deque[str] = deque(maxlen=_LAST_LINES)
        out: list[str] = []
        readers = [
            threading.Thread(target=_tell, args=(process.stderr, told), daemon=True),
            threading.Thread(target=_keep, args=(process.stdout, out), daemon=True),
        ]
        for reader in readers:
            reader.start()
        timed_out = _wait(process, most_s)
        for reader in readers:
            reader.join(_ENDING_S)
    return CommandDone(process.returncode, _json("".join(out)), _problem(told), timed_out)


def _wait(process: subprocess.Popen[str], most_s: float | None) -> bool:
    """Whether it had to be stopped because its time was over."""
    try:
        process.wait(most_s)
    except subprocess.TimeoutExpired:
        _end(process)
        return True
    except KeyboardInterrupt:
        _end(process)
        raise
    return False


def _end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)  # which ends it as Ctrl-C does; a terminal may have sent that already
    try:
        process.wait(_ENDING_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _tell(stream: IO[str] | None, told: deque[str]) -> None:
    for line in stream or ():
        told.append(line.rstrip("\n"))
        click.echo(without_ci_commands(f"     {printable_text(line.rstrip(chr(10)))}"), err=True)


def _keep(stream: IO[str] | None, out: list[str]) -> None:
    out.extend(stream or ())


def _json(text: str) -> object:
    try:
        found: object = json.loads(text)
    except ValueError:
        return None
    return found


def _problem(told: Sequence[str]) -> str:
    """The error with its next step, as ``main`` says it; else the last line."""
    lines = list(told)
    for place in range(len(lines) - 1, -1, -1):
        if lines[place].startswith("Error: "):
            return " ".join(line.strip() for line in lines[place:]).removeprefix("Error: ")
    return lines[-1].strip() if lines else ""


if __name__ == "__main__":
    end_with(int(sys.argv[1]))
    main(sys.argv[2:])

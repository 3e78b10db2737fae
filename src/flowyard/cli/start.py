"""The program ``flowyard``: what saves a person time before and after the command line itself.

A command that will run lines starts its first worker before anything large is imported here, as that is imported there
at the same time. At the end the interpreter is not taken apart piece by piece.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
import threading
from importlib import import_module
from itertools import pairwise
from pathlib import Path

from flowyard._util.spare_process import start_spare
from flowyard._util.worker_command import ASKS_MODELS, WORKER_ARGV
from flowyard.sessions.forked import start_fork_server

__all__ = ["start"]

_RUN_LINES = frozenset({("run", "create"), ("run", "resume")})
_RUN_MANY = frozenset({("experiment", "run"), ("experiment", "resume"), ("monitor", "judge"), ("monitor", "evaluate")})
_FIRST_COLLECTION = 50_000
"""New objects before the garbage collector looks; with 700, as Python has it, it looks 60 times during the import."""


def start() -> None:
    """Run the command line and end the process with its exit code."""
    words = sys.argv[1:]
    if not {"--help", "-h", "--dry-run"} & set(words):
        _start_early(tuple(words[:2]), words)
    gc.set_threshold(_FIRST_COLLECTION, 10, 10)
    code: object = 0
    try:
        import_module("flowyard.cli.main").main()
    except SystemExit as end:
        code = end.code
    _leave(code)


def _start_early(command: tuple[str, ...], words: list[str]) -> None:
    """Start what a command that runs lines will need."""
    if command in _RUN_MANY:
        start_fork_server()
    elif command in _RUN_LINES:
        start_spare(WORKER_ARGV, {ASKS_MODELS: "1"} if _asks_models(words) else None)


def _asks_models(words: list[str]) -> bool:
    """Whether the flow looks as if it calls a model; wrong either way costs some milliseconds."""
    named = [value for option, value in pairwise(words) if option in ("--flow", "-f")]
    if not named:
        return False
    path = Path(named[0])
    try:
        return "type: llm" in (path / "flow.dag.yaml" if path.is_dir() else path).read_text("utf-8", "replace")
    except OSError:
        return False


def _leave(code: object) -> None:
    """End the process. Threads that have to be waited for, and texts as codes, are left to the interpreter."""
    waited_for = [each for each in threading.enumerate() if not each.daemon and each is not threading.main_thread()]
    if waited_for or not isinstance(code, int | None):
        sys.exit(code)  # type: ignore[arg-type]
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        os._exit(code or 1)  # whoever read our output has gone
    os._exit(code or 0)

"""Runs and resumes a small run again and again, with a fault at another place each time; prints what came of it.

    python fault_points.py create|resume FOLDER

Every call with which Python changes files below the home is a place: opening, writing, fsync, replace and truncate, and
each statement with which SQLite does. At each place the process kills itself before the call, kills itself after it
(after half of it, when it writes), or is told that the disk is full. What is left then has to be resumed to the same
results, and resuming once more has to change nothing. Each attempt is a forked process.
"""

from __future__ import annotations

import asyncio
import builtins
import errno
import importlib
import io
import json
import os
import shutil
import signal
import sqlite3
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import Any

from functional_helper import ECHO_TOOL, one_node_flow

from flowyard.cli.shared.progress import SilentProgress
from flowyard.errors import FlowyardError, NotFound
from flowyard.llm.connections import Connections
from flowyard.records import RunRecord
from flowyard.runs.repeat import repeat_request
from flowyard.runs.run import RunParts, RunRequest, execute_run, resume_run
from flowyard.store import SqlStore

KINDS = ("kill before", "kill after", "fail")
LINES = 3
NAME = "r"
CLEAN, UNCLEAN, WRONG = 5, 70, 71
NEVER = 10**9


@dataclass
class Faults:
    """Counts the places and does its harm at number ``at``."""

    kind: str
    at: int
    home: str
    seen: int = 0
    place: str = ""
    note: Path = field(default_factory=Path)
    counting: Any = field(default_factory=Lock)

    def around(self, place: str, call: Callable[[], Any], half: Callable[[], Any] | None = None) -> Any:
        with self.counting:
            self.seen += 1
            is_here = self.seen == self.at
        if not is_here:
            return call()
        with self._real_open(self.note, "w") as file:
            file.write(place)
        if self.kind == "fail":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if self.kind == "kill after":
            with suppress(OSError):  # what fails was done, too
                (half or call)()
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("unreachable")

    def concerns(self, path: Any) -> bool:
        return isinstance(path, int) or str(path).startswith(self.home)

    def install(self) -> None:
        self._real_open = io.open
        self._patch_open()
        for name in ("fsync", "replace", "truncate"):
            self._patch_call(name)
        self._patch_sqlite()

    def _patch_open(self) -> None:
        faults, real = self, io.open

        class Raw(io.FileIO):
            def write(self, data: Any) -> int:
                whole, half = super().write, bytes(data)[: len(data) // 2]
                written: int = faults.around(f"write {_label(self.name)}", lambda: whole(data), lambda: whole(half))
                return written

        def opened(file: Any, mode: str = "r", buffering: int = -1, *rest: Any, **named: Any) -> Any:
            if not faults.concerns(file) or not set(mode) & set("wax+"):
                return real(file, mode, buffering, *rest, **named)
            plain = mode.replace("b", "").replace("t", "")
            raw: Any = faults.around(f"open {_label(file)}", lambda: Raw(file, plain))
            if buffering == 0 or "+" in mode:
                return raw
            buffered = io.BufferedWriter(raw)
            return buffered if "b" in mode else io.TextIOWrapper(buffered, *rest[:1], **named)

        io.open = builtins.open = opened  # type: ignore[assignment]

    def _patch_call(self, name: str) -> None:
        real = getattr(os, name)

        def patched(target: Any, *rest: Any, **named: Any) -> Any:
            if not self.concerns(target):
                return real(target, *rest, **named)
            return self.around(f"{name} {_label(target)}", lambda: real(target, *rest, **named))

        setattr(os, name, patched)

    def _patch_sqlite(self) -> None:
        faults, real = self, sqlite3.connect

        class Connection(sqlite3.Connection):
            def execute(self, sql: str, *rest: Any) -> Any:
                whole = super().execute
                if sql.startswith(("SELECT", "PRAGMA")):
                    return whole(sql, *rest)
                if faults.kind == "fail" and faults.seen + 1 == faults.at:
                    faults.kind = "full"
                if faults.kind == "full" and faults.seen + 1 == faults.at:
                    faults.seen += 1
                    faults.note.write_text(f"sql {sql[:30]}")
                    raise full_disk()
                return faults.around(f"sql {sql[:30]}", lambda: whole(sql, *rest))

        sqlite3.connect = lambda *rest, **named: real(*rest, factory=Connection, **named)  # type: ignore[assignment]


def full_disk() -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    return error


def _label(path: Any) -> str:
    return "temporary" if isinstance(path, int) else Path(path).name


def no_provider(connection: Any) -> Any:
    raise AssertionError("this flow calls no model")


class Scene:
    """A flow, its data and a home."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / "home"
        (root / "f").mkdir(parents=True)
        (root / "f" / "flow.dag.yaml").write_text(one_node_flow({"x": "string"}))
        (root / "f" / "work.py").write_text(ECHO_TOOL)
        rows = [{"x": f"{n} " + "long " * 20} for n in range(LINES)]
        (root / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    def parts(self) -> RunParts:
        return RunParts(Connections([]), no_provider, SqlStore(self.home), SilentProgress())

    async def created(self) -> RunRecord:
        mapping = {"x": "${data.x}"}
        request = RunRequest(self.root / "f", self.root / "data.jsonl", column_mapping=mapping, name=NAME)
        return await execute_run(request, self.parts())

    def create(self) -> None:
        asyncio.run(self.created())

    def resume(self) -> None:
        parts = self.parts()
        earlier = parts.store.get_run(NAME)
        request = repeat_request(earlier, environment_variables={}, init={})
        asyncio.run(resume_run(NAME, request, parts))

    def go_on(self) -> None:
        """What a person does next: resume the run, or make it when it never was."""
        try:
            self.resume()
        except NotFound:
            self.create()

    def files(self) -> dict[str, bytes]:
        folder = self.home / "runs" / NAME
        return {name: (folder / name).read_bytes() for name in ("lines.jsonl", "outputs.jsonl", "run.json")}


def forked(work: Callable[[], None]) -> int:
    """Do work in a forked process; its exit code: 5 after an error for people, 70 after any other, -9 when killed."""
    pid = os.fork()
    if pid == 0:
        code = 0
        try:
            work()
        except (FlowyardError, OSError):
            code = CLEAN
        except AssertionError:
            traceback.print_exc()
            code = WRONG
        except BaseException:
            traceback.print_exc()
            code = UNCLEAN
        sys.stderr.flush()
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def import_what_is_imported(work: Callable[[], None], note: Path) -> None:
    """Do work in a forked process, then import here what it imported, so that later ones need not."""

    def noting() -> None:
        work()
        note.write_text("\n".join(sys.modules))

    assert forked(noting) == 0
    for name in note.read_text().split():
        if name not in sys.modules and name.partition(".")[0] in ("flowyard", "yaml", "asyncio", "concurrent"):
            importlib.import_module(name)


def stopped(scene: Scene) -> None:
    """A run of which one line is stored, one is damaged and one is torn, as if it had been killed."""
    scene.create()
    folder = scene.home / "runs" / NAME
    lines = (folder / "lines.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "lines.jsonl").write_bytes(lines[0] + lines[1].replace(b"long", b"lung", 1) + lines[2][:50])
    store = SqlStore(scene.home)
    store.save_run(replace(store.get_run(NAME), status="running", ended_at=None))
    (folder / "outputs.jsonl").unlink()


def check(scene: Scene, expected: bytes) -> None:
    scene.go_on()
    files = scene.files()
    assert files["outputs.jsonl"] == expected, "the outputs differ"
    numbers = sorted(json.loads(line)["line_number"] for line in files["lines.jsonl"].splitlines())
    assert numbers == list(range(LINES)), numbers
    run = SqlStore(scene.home).get_run(NAME)
    assert (run.status, run.lines.total, run.lines.completed) == ("completed", LINES, LINES), run
    scene.resume()
    assert scene.files() == files, "resuming once more changed something"


def attempts(base: Path, start: Path, work: Callable[[Scene], None], expected: bytes) -> Iterator[dict[str, Any]]:
    """One attempt for each place and kind of fault, until there are no more places."""
    for kind in KINDS:
        for at in range(1, NEVER):
            root = base / "now"
            shutil.copytree(start, root)
            scene = Scene.__new__(Scene)
            scene.root, scene.home = root, root / "home"
            faults = Faults(kind, at, str(scene.home), note=base / "place")

            def harmed(faults: Faults = faults, scene: Scene = scene) -> None:
                faults.install()
                work(scene)

            with suppress(FileNotFoundError):
                faults.note.unlink()
            ended = forked(harmed)
            if not faults.note.exists():
                shutil.rmtree(root)
                break
            after = forked(lambda scene=scene: check(scene, expected))  # type: ignore[misc]
            yield {"kind": kind, "at": at, "place": faults.note.read_text(), "ended": ended, "after": after}
            shutil.rmtree(root)


def main() -> None:
    scenario, base = sys.argv[1], Path(sys.argv[2]).resolve()
    whole = Scene(base / "now")
    import_what_is_imported(whole.create, base / "modules")
    expected = whole.files()["outputs.jsonl"]
    shutil.rmtree(base / "now")
    scene = Scene(base / "now")
    work = Scene.create
    if scenario == "resume":
        assert forked(lambda: stopped(scene)) == 0
        work = Scene.resume
    (base / "now").rename(base / "start")
    json.dump(list(attempts(base, base / "start", work, expected)), sys.stdout)


if __name__ == "__main__":
    main()

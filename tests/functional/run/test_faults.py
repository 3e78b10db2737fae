"""Full disks, too few files, torn and changed bytes: what was paid for is kept, and nothing changed is ever served."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from fault_points import LINES, Scene
from functional_helper import Completed, Project, clean_environment, read_jsonl
from places import HELPERS

from flowyard.errors import StoreError
from flowyard.records import RunRecord
from flowyard.runs.results import read_lines, scan_raw_lines
from flowyard.runs.resume import recover

CREATE = ("run", "create", "--flow", "echo", "--data", "data.jsonl", "--name", "r")


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory where there is one, because its fsync takes no time."""
    with TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as folder:
        yield Path(folder)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="each attempt is a forked process")
@pytest.mark.parametrize("scenario", ["create", "resume"])
def test_a_fault_at_every_place(memory: Path, scenario: str):
    words = [sys.executable, str(HELPERS / "fault_points.py"), scenario, str(memory)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    attempts = json.loads(done.stdout)
    places = {(each["at"], each["place"]) for each in attempts}
    assert len(places) >= 30, places
    assert {"fsync", "replace", "open", "write", "sql"} <= {place.split()[0] for _, place in places}
    bad = [each for each in attempts if each["after"] != 0 or not ended_well(each)]
    assert bad == [], done.stderr


def ended_well(attempt: dict[str, Any]) -> bool:
    """Killed, or with an error for people; some files are not needed, so that 0 is well after a full disk."""
    return attempt["ended"] in ((0, 5) if attempt["kind"] == "fail" else (-9,))


@pytest.fixture
def made(memory: Path) -> tuple[RunRecord, bytes]:
    """A run and the bytes of its ``lines.jsonl``."""
    scene = Scene(memory / "scene")
    run = asyncio.run(scene.created())
    return run, run.lines_path.read_bytes()


def test_a_last_record_torn_at_every_byte(made: tuple[RunRecord, bytes]):
    run, whole = made
    start = whole.rstrip(b"\n").rfind(b"\n") + 1
    for end in range(start, len(whole)):
        run.lines_path.write_bytes(whole[:end])
        assert len(list(read_lines(run))) == LINES - 1
        found, done = recover(run, retry_failed=False)
        assert (found.damaged, len(list(done))) == (0, LINES - 1)
        assert run.lines_path.read_bytes() == whole[:start]


def test_a_flipped_bit_is_never_served(made: tuple[RunRecord, bytes]):
    run, whole = made
    originals = whole.splitlines(keepends=True)
    draw = random.Random(7)
    flips = [(at, draw.randrange(8)) for at in range(len(whole))]
    flips += [(start, bit) for start in _numbers(whole) for bit in range(8)]
    for at, bit in flips:
        changed = bytearray(whole)
        changed[at] ^= 1 << bit
        run.lines_path.write_bytes(changed)
        if at == len(whole) - 1:  # the last line has no end: as if it was being written
            assert len(list(read_lines(run))) == LINES - 1
        else:
            with pytest.raises(StoreError, match="damaged"):
                list(read_lines(run))
        found, done = recover(run, retry_failed=False)
        kept = [line.text + b"\n" for line in done]
        assert found.damaged >= (at < len(whole) - 1)
        assert set(kept) < set(originals)
        assert len(kept) >= LINES - 2
        assert sorted(raw for raw, _ in scan_raw_lines(run.lines_path)) == sorted(kept)


def _numbers(whole: bytes) -> Iterator[int]:
    """Where the line numbers are, which a flip may turn into that of another line."""
    start = 0
    for line in whole.splitlines(keepends=True):
        yield start + line.index(b": ") + 2
        start += len(line)


def test_damaged_lines_are_said_and_run_again(project: Project):
    project.echo_flow()
    project.jsonl("data.jsonl", [{"x": f"number {x}"} for x in range(5)])
    run = project.json(*CREATE)
    lines, outputs = Path(run["path"]) / "lines.jsonl", Path(run["outputs"]).read_bytes()
    lines.write_bytes(lines.read_bytes().replace(b"number 3", b"number 4", 1))
    said = project.run("run", "show-details", "-n", "r", code=5).stderr
    assert "A line in lines.jsonl of run 'r' is damaged" in said
    assert "flowyard run resume" in said
    again = project.json("run", "resume", "r")
    assert again["warnings"] == ["1 stored lines were damaged, and run again."]
    assert again["lines"] == {"total": 5, "completed": 5, "failed": 0}
    assert sorted(line["line_number"] for line in read_jsonl(lines)) == list(range(5))
    assert Path(again["outputs"]).read_bytes() == outputs


LIMITED = """\
import os, resource, sys
resource.setrlimit(getattr(resource, sys.argv[1]), (int(sys.argv[2]),) * 2)
os.execv(sys.executable, [sys.executable, "-m", "flowyard", *sys.argv[3:]])
"""
POWERLESS = """\
import ctypes, os, sys
for power in (1, 2, 3):  # to write, read and own what others own: what root has and nobody else
    ctypes.CDLL(None).prctl(24, power, 0, 0, 0)
os.execv(sys.executable, [sys.executable, "-m", "flowyard", *sys.argv[1:]])
"""
needs_limits = pytest.mark.skipif(sys.platform == "win32", reason="limits of processes are set as POSIX has them")


def through(project: Project, script: str, *words: str) -> Completed:
    """Run a command from a script that prepares its process."""
    argv = [sys.executable, "-c", script, *words, "--home", str(project.home)]
    env = clean_environment()
    done = subprocess.run(argv, cwd=project.root, env=env, capture_output=True, text=True, check=False, timeout=90)
    assert "Traceback" not in done.stderr, done.stderr
    return done


@needs_limits
def test_a_disk_that_fills_up(project: Project):
    project.echo_flow()
    project.jsonl("data.jsonl", [{"x": str(x % 10) * 10_000} for x in range(60)])
    done = through(project, LIMITED, "RLIMIT_FSIZE", "400000", *CREATE, "--concurrency", "2")
    assert done.returncode == 5
    assert "Error: Cannot write the results of run 'r': File too large." in done.stderr
    assert "flowyard run resume r" in done.stderr
    kept = (project.home / "runs" / "r" / "lines.jsonl").read_bytes()
    whole = kept[: kept.rfind(b"\n") + 1]
    assert whole.count(b"\n") >= 5
    run = project.json("run", "resume", "r")
    lines = Path(run["path"]) / "lines.jsonl"
    assert lines.read_bytes().startswith(whole)
    assert sorted(line["line_number"] for line in read_jsonl(lines)) == list(range(60))
    assert len(read_jsonl(run["outputs"])) == 60


@needs_limits
def test_a_disk_that_is_full_from_the_beginning(project: Project):
    project.echo_flow()
    project.jsonl("data.jsonl", [{"x": "one"}])
    done = through(project, LIMITED, "RLIMIT_FSIZE", "3000", *CREATE)
    assert done.returncode == 5
    assert "flowyard.db cannot be read or written" in done.stderr
    assert project.json(*CREATE)["lines"]["completed"] == 1


@needs_limits
@pytest.mark.parametrize("files", ["8", "12"])
def test_too_few_files(project: Project, files: str):
    project.echo_flow()
    project.jsonl("data.jsonl", [{"x": "one"}])
    done = through(project, LIMITED, "RLIMIT_NOFILE", files, *CREATE)
    assert done.returncode in (0, 2, 5)
    assert "bug" not in done.stderr
    if done.returncode:
        assert done.stderr.startswith("Error: ")
        assert project.json(*CREATE)["lines"]["completed"] == 1


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="root can write everything but on Linux")
def test_a_home_that_only_can_be_read(project: Project):
    project.echo_flow()
    project.jsonl("data.jsonl", [{"x": "one"}])
    made = project.json(*CREATE)
    places = [project.home, *(path for path in project.home.rglob("*") if path.is_dir())]
    for place in places:
        place.chmod(0o555)
    try:
        again = through(project, POWERLESS, *CREATE[:-1], "other")
        resumed = through(project, POWERLESS, "run", "resume", "r", "--retry-failed")
        shown = through(project, POWERLESS, "run", "show", "-n", "r", "--json")
    finally:
        for place in places:
            place.chmod(0o755)
    assert (again.returncode, "Permission denied" in again.stderr) == (5, True)
    assert resumed.returncode in (0, 5)
    assert json.loads(shown.stdout)["lines"] == made["lines"]

"""Only one process runs a run, and the kernel knows which."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from flowyard.errors import Conflict, StoreError
from flowyard.store.hold import HOLD_FILE, hold_folder, is_held, unheld

HOLDER = """\
import sys
from pathlib import Path
from flowyard.store.hold import hold_folder

with hold_folder("r", Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the run until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_one_process_holds_a_run_and_others_learn_which(tmp_path: Path) -> None:
    with holder(tmp_path / "r") as other:
        assert is_held(tmp_path / "r")
        with pytest.raises(Conflict, match=f"held by process {other.pid} on"), hold_folder("r", tmp_path / "r"):
            raise AssertionError
        other.communicate("")
        assert not is_held(tmp_path / "r")
    with hold_folder("r", tmp_path / "r") as mine:
        mine.require_held()
        assert (tmp_path / "r" / HOLD_FILE).read_text().startswith(f"{os.getpid()} ")
        (tmp_path / "r" / "run.json").touch()
    assert (tmp_path / "r" / HOLD_FILE).read_bytes() == b""


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    with holder(tmp_path) as other:
        other.send_signal(signal.SIGKILL)
        other.wait()
        assert not is_held(tmp_path)
        with hold_folder("r", tmp_path):
            assert is_held(tmp_path)
    assert not is_held(tmp_path)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_forked_child_does_not_keep_the_hold_of_its_dead_parent(tmp_path: Path) -> None:
    code = HOLDER.replace("    print(", "    import os, time\n    child = os.fork() == 0\n    if child: print(")
    code = code.replace("    sys.stdin", "    if child: time.sleep(600)\n    sys.stdin")
    process = subprocess.Popen(
        [sys.executable, "-c", code, tmp_path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        try:
            process.kill()
            process.wait()
            assert not is_held(tmp_path)
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def test_one_of_16_threads_wins_and_looking_never_makes_one_fail(tmp_path: Path) -> None:
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            is_held(tmp_path / "r")

    with ThreadPoolExecutor(2) as lookers:
        looking = [lookers.submit(look) for _ in range(2)]
        try:
            for _ in range(50):
                with hold_folder("r", tmp_path / "r"):
                    assert is_held(tmp_path / "r")
        finally:
            stop.set()
        for each in looking:
            each.result()
    barrier = threading.Barrier(16)

    def take(_: int) -> bool:
        barrier.wait()
        try:
            with hold_folder("r", tmp_path / "r"):
                barrier.wait()
                return True
        except Conflict:
            barrier.wait()
            return False

    with ThreadPoolExecutor(16) as threads:
        assert sum(threads.map(take, range(16))) == 1


COUNTER = """\
import sys, time
from pathlib import Path
from flowyard.errors import Conflict
from flowyard.store.hold import hold_folder

folder = Path(sys.argv[1])
count = folder / "count"
done = 0
while done < 25:
    try:
        with hold_folder("r", folder):
            number = int(count.read_text())
            time.sleep(0)
            count.write_text(str(number + 1))
            done += 1
    except Conflict:
        time.sleep(0.001)
"""


def test_no_two_processes_ever_hold_one_run(tmp_path: Path) -> None:
    (tmp_path / "count").write_text("0")
    processes = [subprocess.Popen([sys.executable, "-c", COUNTER, tmp_path]) for _ in range(4)]
    try:
        assert [process.wait(timeout=120) for process in processes] == [0] * 4
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert (tmp_path / "count").read_text() == "100"


def test_a_hold_whose_file_was_deleted_is_noticed(tmp_path: Path) -> None:
    with hold_folder("r", tmp_path) as mine:
        mine.require_held()
        (tmp_path / HOLD_FILE).unlink()
        with pytest.raises(Conflict, match="no longer held"):
            mine.require_held()
        with hold_folder("r", tmp_path) as other:
            other.require_held()
            with pytest.raises(Conflict, match="no longer held"):
                mine.require_held()
    with pytest.raises(Conflict):
        mine.require_held()


def test_nobody_can_hold_while_somebody_relies_on_nobody_holding(tmp_path: Path) -> None:
    with hold_folder("r", tmp_path):
        (tmp_path / "run.json").touch()
    taken = threading.Event()

    def take() -> None:
        with hold_folder("r", tmp_path):
            taken.set()

    with ThreadPoolExecutor(1) as threads:
        with unheld(tmp_path) as free:
            assert free
            taking = threads.submit(take)
            assert not taken.wait(0.05)
        taking.result()
    assert taken.is_set()


def test_a_hold_that_came_to_nothing_leaves_nothing(tmp_path: Path) -> None:
    with hold_folder("r", tmp_path / "r"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="Cannot hold"), hold_folder("r", tmp_path / "file" / "r"):
        raise AssertionError

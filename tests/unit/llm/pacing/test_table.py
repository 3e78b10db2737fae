"""One file for many processes: what they may do to each other, also when one of them is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from struct import pack

import pytest

from flowyard.errors import UserError
from flowyard.llm.pacing.fields import FAILURES, PAUSED_UNTIL
from flowyard.llm.pacing.table import PaceTable, open_table

ADD = """
import sys
from pathlib import Path
from flowyard.llm.pacing.table import open_table
row = open_table(Path(sys.argv[1])).row("model")
for _ in range(int(sys.argv[2])):
    with row.locked() as fields:
        fields[4] += 1
"""
HOLD = """
import sys, time
from pathlib import Path
from flowyard.llm.pacing.table import open_table
with open_table(Path(sys.argv[1])).row("model").locked() as fields:
    fields[4] += 1
    print("held", flush=True)
    time.sleep(600)
"""


def test_processes_and_threads_count_together(tmp_path: Path) -> None:
    file = tmp_path / "pace"
    row = open_table(file).row("model")

    def add() -> None:
        for _ in range(300):
            with row.locked() as fields:
                fields[FAILURES] += 1

    children = [subprocess.Popen([sys.executable, "-c", ADD, file, "2000"]) for _ in range(2)]
    threads = [threading.Thread(target=add) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [child.wait(timeout=60) for child in children] == [0, 0]
    assert row.fields[FAILURES] == 2 * 2000 + 3 * 300


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    file = tmp_path / "pace"
    holder = subprocess.Popen([sys.executable, "-c", HOLD, file], stdout=subprocess.PIPE, text=True)
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        os.kill(holder.pid, signal.SIGKILL)
        with open_table(file).row("model").locked() as fields:
            fields[FAILURES] += 1
            assert fields[FAILURES] == 2


def test_a_process_opens_a_file_once(tmp_path: Path) -> None:
    first = open_table(tmp_path / "pace")
    assert open_table(tmp_path / "." / "pace") is first
    assert first.row("a") is first.row("a")


def test_connections_have_rows_of_their_own(tmp_path: Path) -> None:
    table = PaceTable(tmp_path / "pace")
    for place in range(20):
        table.row(f"c{place}").fields[FAILURES] = place
    assert [table.row(f"c{place}").fields[FAILURES] for place in range(20)] == list(range(20))


def test_there_is_an_end_to_connections() -> None:
    table = PaceTable()
    for place in range(1024):
        table.row(f"c{place}")
    with pytest.raises(UserError, match="1024 connections"):
        table.row("one more")


@pytest.mark.parametrize("content", [b"", b"something else", bytes(200_000)])
def test_a_file_that_is_not_ours_is_emptied(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "pace"
    file.write_bytes(content)
    assert not any(PaceTable(file).row("model").fields)


def test_times_from_before_a_restart_are_forgotten(tmp_path: Path) -> None:
    file = tmp_path / "pace"
    PaceTable(file).row("model").fields[PAUSED_UNTIL] = 1e9
    assert PaceTable(file).row("model").fields[PAUSED_UNTIL] == 1e9
    content = bytearray(file.read_bytes())
    content[16:24] = pack("d", 1.0)
    file.write_bytes(bytes(content))
    assert PaceTable(file).row("model").fields[PAUSED_UNTIL] == 0


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    PaceTable(tmp_path / "pace")
    assert (tmp_path / "pace").stat().st_mode & 0o777 == 0o600


def test_a_file_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="pace file"):
        open_table(tmp_path)

"""Workers that are forked: they are what new processes are, and their ends are told as those are."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from flowyard._util.worker_command import FORK_SERVER_ARGV
from flowyard.sessions.forked import ForkedProcess, fork_worker, forked_workers
from flowyard.sessions.messages import Channel

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux only")


def channel(worker: ForkedProcess) -> Channel:
    return Channel(worker.stdout, worker.stdin)


def forked() -> ForkedProcess:
    worker = fork_worker()
    assert worker is not None
    return worker


def finish(worker: ForkedProcess) -> int:
    code = worker.wait(60)
    worker.stdin.close()
    worker.stdout.close()
    return code


def test_outside_of_the_block_nothing_is_forked():
    assert fork_worker() is None


def test_a_worker_that_is_told_to_end_ends_with_zero():
    with forked_workers():
        worker = forked()
        channel(worker).send(("end",))
        assert finish(worker) == 0


def test_who_kills_a_worker_is_told_as_a_new_process_would_tell_it():
    with forked_workers():
        first, second = forked(), forked()
        assert first.pid != second.pid
        first.kill()
        assert finish(first) == -signal.SIGKILL
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(0)
        os.kill(second.pid, signal.SIGTERM)
        assert finish(second) == -signal.SIGTERM
        first.kill()  # a process that has ended, and whose number somebody else may have now: nothing happens


def test_each_worker_is_in_a_group_of_its_own():
    with forked_workers():
        worker = forked()
        assert os.getpgid(worker.pid) == worker.pid
        channel(worker).send(("end",))
        finish(worker)


def test_workers_that_are_left_end_with_the_block():
    with forked_workers():
        worker = forked()
        pid = worker.pid
    assert finish(worker) == -signal.SIGKILL
    assert pid > 0
    assert fork_worker() is None


def test_a_changed_environment_takes_a_new_process(monkeypatch: pytest.MonkeyPatch):
    with forked_workers():
        first = forked()
        monkeypatch.setenv("SOMETHING_NEW", "1")
        assert fork_worker() is None
        monkeypatch.delenv("SOMETHING_NEW")
        second = forked()
        for worker in (first, second):
            channel(worker).send(("end",))
            assert finish(worker) == 0


def test_another_working_folder_takes_a_new_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    with forked_workers():
        worker = forked()
        monkeypatch.chdir(tmp_path)
        assert fork_worker() is None
        channel(worker).send(("end",))
        finish(worker)


def test_blocks_may_be_inside_each_other():
    with forked_workers():
        with forked_workers():
            inner = forked()
        channel(inner).send(("end",))
        assert finish(inner) == 0
        outer = forked()
        channel(outer).send(("end",))
        assert finish(outer) == 0


def test_a_session_that_is_killed_leaves_no_traceback():
    asked, theirs = socket.socketpair()
    reads, writes = os.pipe()
    with subprocess.Popen(FORK_SERVER_ARGV, stdin=theirs.fileno(), stderr=subprocess.PIPE) as server:
        theirs.close()
        socket.send_fds(asked, [b"f"], [reads, writes, 2])
        select.select([asked], [], [], 60)
        asked.close()  # without reading the answer, which resets the connection
        for end in (reads, writes):
            os.close(end)
        assert server.stderr is not None
        assert (server.stderr.read(), server.wait(60)) == (b"", 0)

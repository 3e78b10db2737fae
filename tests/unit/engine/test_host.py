"""Where a flow's code runs: its working directory, its threads, and that nothing of it is left."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from flowyard.abc import Provider
from flowyard.engine.host import CodeHost
from flowyard.errors import OutsideError, UserError
from flowyard.llm.connections import Connections
from flowyard.llm.services import Services, current_services, use_services

HERE = Path.cwd()
on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux gives threads a directory")


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "name.txt").write_text(name)
    return tmp_path / "one", tmp_path / "two"


def read() -> str:
    return Path("name.txt").read_text()


async def read_async() -> str:
    await asyncio.sleep(0)
    return read()


def read_in_new_thread() -> str:
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(read()))
    thread.start()
    thread.join()
    return found[0]


def read_in_child_process() -> str:
    command = [sys.executable, "-c", "print(open('name.txt').read())"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def read_in_fork() -> str:
    receiving, sending = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(sending, read().encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(sending)
    with os.fdopen(receiving) as file:
        return file.read()


@pytest.mark.parametrize("reader", [read, read_in_new_thread, read_in_child_process])
async def test_two_flows_at_once_read_their_own_files(folders: tuple[Path, Path], reader: Callable[[], str]) -> None:
    hosts = [CodeHost(folder, 4) for folder in folders]
    try:
        found = await asyncio.gather(*(host.in_thread(reader) for host in hosts * 8))
        assert found == ["one", "two"] * 8
        assert await asyncio.gather(*(host.on_loop(read_async) for host in hosts * 8)) == ["one", "two"] * 8
        assert Path.cwd() == HERE
        assert [host.warnings for host in hosts] == [(), ()]
    finally:
        for host in hosts:
            host.close()
    assert Path.cwd() == HERE


@on_linux
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
async def test_a_forked_child_is_in_the_flows_folder(folders: tuple[Path, Path]) -> None:
    hosts = [CodeHost(folder, 4) for folder in folders]
    try:
        assert await asyncio.gather(*(host.in_thread(read_in_fork) for host in hosts)) == ["one", "two"]
    finally:
        for host in hosts:
            host.close()


@on_linux
async def test_changing_the_directory_in_a_thread_stays_in_that_flow(folders: tuple[Path, Path]) -> None:
    one, two = (CodeHost(folder, 1) for folder in folders)
    try:
        await one.in_thread(os.chdir, folders[0].parent)
        assert await one.in_thread(os.getcwd) == str(folders[0].parent)
        assert await two.in_thread(os.getcwd) == str(folders[1])
        assert Path.cwd() == HERE
    finally:
        one.close()
        two.close()


async def test_more_calls_than_threads_wait_for_their_turn(tmp_path: Path) -> None:
    host = CodeHost(tmp_path, 3)
    try:
        names = await asyncio.gather(*(host.in_thread(lambda: threading.current_thread().name) for _ in range(60)))
        assert len(set(names)) <= 3
    finally:
        host.close()


async def test_threads_are_started_as_they_are_needed(tmp_path: Path) -> None:
    host = CodeHost(tmp_path, 64)
    try:
        names = {await host.in_thread(lambda: threading.current_thread().name) for _ in range(20)}
        together = threading.Barrier(5)
        await asyncio.gather(*(host.in_thread(together.wait, 10) for _ in range(5)))
        assert len(names) <= 3
    finally:
        host.close()


async def test_the_system_gives_no_more_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = threading._start_new_thread  # type: ignore[attr-defined]
    started = 0

    def refuse_after_two(*arguments: object, **named: object) -> object:
        nonlocal started
        started += 1
        if started > 2:
            raise RuntimeError("can't start new thread")
        return plain(*arguments, **named)

    host = CodeHost(tmp_path, 8)
    try:
        with monkeypatch.context() as patch:  # the system says no: nothing of ours is replaced
            patch.setattr(threading, "_start_new_thread", refuse_after_two)
            patch.setattr(threading, "_start_joinable_thread", refuse_after_two, raising=False)
            found = await asyncio.gather(*(host.in_thread(str.upper, "a") for _ in range(20)))
        assert found == ["A"] * 20
    finally:
        host.close()


async def test_the_system_gives_no_thread_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **named: object) -> None:
        raise RuntimeError("can't start new thread")

    host = CodeHost(tmp_path, 8)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(threading, "_start_new_thread", refuse)
            patch.setattr(threading, "_start_joinable_thread", refuse, raising=False)
            with pytest.raises(OutsideError, match="refuses to start a thread") as caught:
                await host.in_thread(str.upper, "a")
        assert "ulimit" in str(caught.value.hint)
        assert await host.in_thread(str.upper, "a") == "A"
    finally:
        host.close()


@on_linux
async def test_a_folder_that_is_gone_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    host = CodeHost(folder, 2)
    folder.rmdir()
    try:
        for _ in range(3):
            with pytest.raises(UserError, match="gone cannot be entered"):
                await host.in_thread(os.getcwd)
    finally:
        host.close()


async def test_closing_does_not_wait_for_blocked_code(tmp_path: Path) -> None:
    host = CodeHost(tmp_path, 1)
    begun, release = threading.Event(), threading.Event()

    def block() -> str:
        begun.set()
        release.wait(30)
        return "ended"

    running = asyncio.ensure_future(host.in_thread(block))
    waiting = asyncio.ensure_future(host.in_thread(str.upper, "never"))
    await asyncio.to_thread(begun.wait, 30)
    host.close()
    host.close()
    assert not running.done()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(RuntimeError, match="closed"):
        await host.in_thread(str.upper, "late")
    release.set()
    assert await running == "ended"


async def test_what_calls_raise(tmp_path: Path) -> None:
    def stop() -> None:
        raise StopIteration("at once")

    async def leave() -> None:
        raise SystemExit(3)

    host = CodeHost(tmp_path, 1)
    try:
        with pytest.raises(RuntimeError, match="StopIteration: at once"):
            await host.in_thread(stop)
        with pytest.raises(SystemExit):
            await host.on_loop(leave)
        assert await host.on_loop(read_name_of_thread) == "flowyard-code"
    finally:
        host.close()


async def read_name_of_thread() -> str:
    return threading.current_thread().name


async def test_threads_of_a_flow_have_its_services(folders: tuple[Path, Path]) -> None:
    def found_in_new_thread() -> Services | None:
        found: list[Services | None] = []
        thread = threading.Thread(target=lambda: found.append(current_services()))
        thread.start()
        thread.join()
        return found[0]

    hosts = [CodeHost(folder, 2) for folder in folders]
    services = [Services(Connections([]), no_provider) for _ in hosts]
    with use_services(services[0]), use_services(services[1]):  # both flows run
        for host, own in zip(hosts, services, strict=True):
            with use_services(own):
                call = asyncio.ensure_future(host.in_thread(found_in_new_thread))
                await asyncio.sleep(0)
            with use_services(services[1]):
                assert await call is own
    for host in hosts:
        host.close()


def no_provider(connection: object) -> Provider:
    raise AssertionError("no model is called")


async def test_nothing_is_left_of_fifty_hosts(folders: tuple[Path, Path]) -> None:
    async def use(folder: Path) -> None:
        host = CodeHost(folder, 4)
        assert await host.in_thread(read) == folder.name
        assert await host.on_loop(read_async) == folder.name
        host.close()

    others = flow_threads()  # what tests before this one left to end
    await use(folders[0])
    await settled(lambda: flow_threads() <= others)
    files, path, start, modules = open_files(), list(sys.path), threading.Thread.start, set(sys.modules)
    for number in range(50):
        await use(folders[number % 2])
    await settled(lambda: flow_threads() <= others)
    gc.collect()
    assert open_files() <= files
    assert (sys.path, threading.Thread.start, set(sys.modules)) == (path, start, modules)


def flow_threads() -> set[threading.Thread]:
    own = ("flowyard-code", "flowyard-tool")  # the background thread belongs to the process
    return {thread for thread in threading.enumerate() if thread.name.startswith(own)}


def open_files() -> int:
    return sum(1 for _ in Path("/dev/fd").iterdir())


async def settled(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < until
        await asyncio.sleep(0.01)


REFUSED = """
import asyncio, ctypes, os, threading
from pathlib import Path

class Refusing:  # a container whose policy forbids unshare
    def __init__(self, *_, **__): pass
    def unshare(self, flags): return -1

ctypes.CDLL = Refusing
from flowyard.engine.host import CodeHost

async def main():
    before = os.getcwd()
    one, two, again = CodeHost(Path("one"), 2), CodeHost(Path("two"), 2), CodeHost(Path("one"), 2)
    read = lambda: Path("name.txt").read_text()
    assert await one.in_thread(read) == "one"
    assert one.warnings == ()
    assert await two.in_thread(read) == "two"
    assert await again.in_thread(read) == "one"
    said = [*one.warnings, *two.warnings, *again.warnings]
    assert len(said) == 1 and "two and one share one" in said[0], said
    again.close()
    assert os.getcwd() == str(Path(before, "two"))
    two.close(); two.close()
    assert await one.on_loop(asyncio.to_thread, read) == "one"
    one.close()
    assert os.getcwd() == before
    print("as said")

asyncio.run(main())
"""


def test_where_threads_cannot_have_a_directory(folders: tuple[Path, Path]) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(REFUSED)],
        cwd=folders[0].parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.stdout, done.stderr) == ("as said\n", "")


BLOCKED = """
import asyncio, threading
from pathlib import Path
from flowyard.engine.host import CodeHost

async def main():
    host = CodeHost(Path("."), 1)
    asyncio.ensure_future(host.in_thread(threading.Event().wait))
    await host.on_loop(asyncio.sleep, 0)
    host.close()
    print("closed")

asyncio.run(main())
"""


def test_a_tool_that_never_returns_does_not_hold_up_the_end_of_the_process(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", BLOCKED],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "closed\n", "")

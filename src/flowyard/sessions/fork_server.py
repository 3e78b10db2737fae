"""``python -m flowyard.sessions.fork_server``: a process that has imported what workers need, and forks them.

It runs no flow and has one thread, so that each worker begins as a new process would, a third of a second earlier.
Standard input is a socket. A request is one byte with three files: what the worker reads, writes and says its errors
to. Answers are lines: ``started PID`` for each request, ``ended PID CODE`` as Popen counts codes. The process ends with
the socket, and its workers, if any are left, with the process.
"""

from __future__ import annotations

import contextlib
import gc
import os
import selectors
import signal
import socket
from importlib import import_module

from flowyard._util.end_with import end_with
from flowyard.llm.prices import OUR_PRICES, load_price_table

_MODULES = (
    "flowyard.sessions.worker",
    "flowyard.engine.dag",
    "flowyard.engine.flex",
    "flowyard.engine.nodes.python",
    "flowyard.engine.nodes.llm",
    "flowyard.llm.providers.openai_wire",
)


def main() -> None:
    """Serve the process at the other end of standard input."""
    end_with(os.getppid())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.disable()  # as in worker_start; a worker turns it on
    for module in _MODULES:
        import_module(module)
    load_price_table(OUR_PRICES)
    gc.freeze()  # so that a worker's collections leave alone, and shared, what is here
    asked = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    with contextlib.suppress(ConnectionError):  # whoever asked was killed: as if it had ended
        _serve(asked)


def _serve(asked: socket.socket) -> None:
    woken, waker = socket.socketpair()
    woken.setblocking(False)
    waker.setblocking(False)
    signal.signal(signal.SIGCHLD, _noticed)
    signal.set_wakeup_fd(waker.fileno())
    selector = selectors.DefaultSelector()
    selector.register(asked, selectors.EVENT_READ)
    selector.register(woken, selectors.EVENT_READ)
    while True:
        ready = {key.fileobj for key, _ in selector.select()}
        if woken in ready:
            woken.recv(4096)
            _tell_of_ended(asked)
        if asked not in ready:
            continue
        request, files, _, _ = socket.recv_fds(asked, 1, 3)
        if not request:
            return
        pid = os.fork()
        if pid == 0:
            selector.close()
            for each in (asked, woken, waker):
                each.close()
            _become_worker(files)
        with contextlib.suppress(OSError):  # it did so itself, or has ended
            os.setpgid(pid, pid)
        for file in files:
            os.close(file)
        asked.sendall(f"started {pid}\n".encode())


def _noticed(*_: object) -> None:
    """SIGCHLD has a handler, so that it wakes the selector."""


def _tell_of_ended(asked: socket.socket) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        asked.sendall(f"ended {pid} {os.waitstatus_to_exitcode(status)}\n".encode())


def _become_worker(files: list[int]) -> None:
    """In the forked process: be what a worker is that was started, until it ends."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with contextlib.suppress(OSError):  # whoever comes first does it: Ctrl-C reaches the session only
        os.setpgid(0, 0)
    for place, file in enumerate(files):
        os.dup2(file, place)
        os.close(file)
    try:
        import_module("flowyard.sessions.worker").main()
    finally:
        os._exit(1)  # main ends the process itself


if __name__ == "__main__":
    main()

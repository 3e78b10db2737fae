"""The process that warm_start forks commands from: python warm_process.py DESCRIPTOR"""

from __future__ import annotations

import gc
import json
import os
import pkgutil
import signal
import socket
import sys
import tempfile
import threading
from importlib import import_module
from pathlib import Path

import flowyard.cli
from flowyard.cli.start import start


def import_commands() -> None:
    """All modules of the command line, and what they import when they are called."""
    for module in pkgutil.walk_packages(flowyard.cli.__path__, "flowyard.cli."):
        import_module(module.name)
    import_module("aiohttp")
    assert threading.active_count() == 1, "a process with threads cannot be forked"
    gc.freeze()


def next_command(asks: socket.socket) -> None:
    """Fork for each request; comes back in the process of a command, and ends this one with the tests."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that wait
    while True:
        request, descriptors, _, _ = socket.recv_fds(asks, 200_000, 3)
        if not request:
            os._exit(0)
        if os.fork() == 0:
            asks.close()
            _fork_and_tell(*descriptors)
            _become(*json.loads(request))
            return
        for each in descriptors:
            os.close(each)


def _fork_and_tell(reply: int, out: int, err: int) -> None:
    """Come back in a child, and tell the tests what its exit code was; negative for a signal, as subprocess does."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    child = os.fork()
    if child == 0:
        os.close(reply)
        for there, here in ((out, 1), (err, 2)):
            os.dup2(there, here)
            os.close(there)
        return
    os.close(out)
    os.close(err)
    try:
        os.write(reply, f"{child}\n".encode())
        _, status = os.waitpid(child, 0)
        os.write(reply, f"{os.waitstatus_to_exitcode(status)}\n".encode())
    finally:
        os._exit(0)


def _become(words: list[str], folder: str, environment: dict[str, str]) -> None:
    """Take over what a process has from the one that starts it."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.path[0] = str(Path.cwd())
    sys.argv = [str(Path(flowyard.__file__).with_name("__main__.py")), *words]
    tempfile.tempdir = None


if __name__ == "__main__":
    sys.path.pop(0)
    sys.path.insert(0, "")
    import_commands()
    next_command(socket.socket(fileno=int(sys.argv[1])))
    start()

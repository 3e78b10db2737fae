"""The supervisor of one deployment: serves its flow, and again when that crashes. ``python -m …supervisor FOLDER``.

The variables of the deployment, which may be secret, are this process's own; they are written nowhere.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import FrameType

from flowyard._util.files import dump_json, write_atomic
from flowyard.deploy.targets.switch.kept_process import KeptProcess
from flowyard.settings import inherited_environment

__all__ = ["supervisor_process"]

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_STEADY_S = 60.0
"""Who served that long has recovered, and is started again without delay."""
_DRAIN_S = 45.0


def supervisor_process(folder: Path) -> KeptProcess:
    """The process that supervises the deployment in a folder."""
    return KeptProcess(folder, "supervisor")


class _Supervisor:
    def __init__(self, folder: Path, definition: str) -> None:
        self._folder = folder
        self._address = folder / "address"
        self._source = folder / "flow" / definition
        self._stopping = threading.Event()

    def run(self) -> None:
        signal.signal(signal.SIGTERM, self._stop)
        crashes, pause = 0, _FIRST_PAUSE_S
        while not self._stopping.is_set():
            began = time.monotonic()
            code = self._serve()
            if self._stopping.is_set():
                return
            if code == 0:  # it was told to end, as by an operator: that is no crash
                pause = _FIRST_PAUSE_S
                continue
            pause = _FIRST_PAUSE_S if time.monotonic() - began > _STEADY_S else min(2 * pause, _LONGEST_PAUSE_S)
            crashes += 1
            write_atomic(self._folder / "crashes.json", dump_json({"crashes": crashes, "exit_code": code}))
            sys.stdout.write(f"The flow's server ended with {code}; it is started again in {pause:g} s.\n")
            sys.stdout.flush()
            self._stopping.wait(pause)

    def _serve(self) -> int:
        """Serve until the server ends; returns its exit code."""
        self._address.unlink(missing_ok=True)
        words = ["flow", "serve", "--source", str(self._source), "--host", "127.0.0.1", "--port", "0"]
        words += ["--ready-file", str(self._address)]
        argv = [sys.executable, "-P", "-m", "flowyard.deploy.targets.local.serve_start", str(os.getpid()), *words]
        with subprocess.Popen(argv, stdin=subprocess.DEVNULL, env=inherited_environment()) as server:  # noqa: S603
            try:
                return self._watch(server)
            finally:
                self._address.unlink(missing_ok=True)

    def _watch(self, server: subprocess.Popen[bytes]) -> int:
        told_at = None
        while True:
            try:
                return server.wait(timeout=0.2)
            except subprocess.TimeoutExpired:
                if not self._folder.is_dir():  # somebody threw the whole home away
                    self._stopping.set()
                if not self._stopping.is_set():
                    continue
            if told_at is None:
                told_at = time.monotonic()
                server.terminate()
            elif time.monotonic() - told_at > _DRAIN_S:
                server.kill()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._stopping.set()


def _main(folder: Path, definition: str) -> None:
    with supervisor_process(folder).being_it() as mine:
        if mine:
            _Supervisor(folder, definition).run()


if __name__ == "__main__":
    _main(Path(sys.argv[1]), sys.argv[2])

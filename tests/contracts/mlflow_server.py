"""A real MLflow server on loopback, with its files in a temporary folder, for the time of the tests."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, build_opener

import pytest

__all__ = ["mlflow_server", "needs_mlflow"]

_PROGRAM = Path(__file__).resolve().parents[2] / ".mlflow" / "venv" / "bin" / "mlflow"
_START_S = 180.0

needs_mlflow = [
    pytest.mark.mlflow,
    pytest.mark.skipif(not _PROGRAM.exists(), reason="no MLflow server; install it with scripts/mlflow_server.sh"),
]


@contextmanager
def mlflow_server() -> Iterator[str]:
    """Run a server and give its address, ``127.0.0.1:PORT``."""
    folder = Path(tempfile.mkdtemp(prefix="flowyard-mlflow-"))
    try:
        process, port = _start(folder)
        try:
            yield f"127.0.0.1:{port}"
        finally:
            _stop(process)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start(folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    """A server that answers; another port is tried when somebody was quicker to take the first."""
    for _ in range(3):
        port = _free_port()
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [_PROGRAM, "server", *_options(folder, port)],
                cwd=folder,
                env=_environment(folder),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            if _answers(process, port):
                return process, port
        except BaseException:
            _stop(process)
            raise
    raise RuntimeError("No MLflow server started: " + (folder / "log").read_text(errors="replace")[-2000:])


def _options(folder: Path, port: int) -> list[str]:
    stores = ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "files")]
    return [*stores, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]


def _environment(folder: Path) -> dict[str, str]:
    """Without what the tests' own environment says to Python, to MLflow, or of proxies.

    No test asks for its jobs, whose eight processes take longer to start than the server itself.
    """
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    silent = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    return {**kept, **silent, "HOME": str(folder), "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    opener = build_opener(ProxyHandler({}))
    deadline = time.monotonic() + _START_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with opener.open(f"http://127.0.0.1:{port}/health", timeout=5) as response:
                if response.read() == b"OK":
                    return process.poll() is None
        except HTTPError as error:
            error.close()
        except (URLError, OSError):
            pass
        time.sleep(0.1)
    if process.poll() is None:
        raise RuntimeError("The MLflow server does not answer.")
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Kill it with its workers, which are in its process group; its files are thrown away."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()

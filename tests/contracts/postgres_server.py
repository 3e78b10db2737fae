"""A private PostgreSQL server on loopback, with its files in a temporary folder, for the time of the tests."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

__all__ = ["PASSWORD", "fresh_url", "postgres_programs", "postgres_server"]

PASSWORD = secrets.token_hex(12)
_START_S = 60.0


def postgres_programs() -> Path | None:
    """The folder of the server's programs, None when it is not installed."""
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda file: int(file.parts[-3]))
    return installed[-1].parent if installed else None


@contextmanager
def postgres_server(programs: Path) -> Iterator[str]:
    """Run a server and give its address, ``127.0.0.1:PORT``; only who knows PASSWORD gets in."""
    folder = Path(tempfile.mkdtemp(prefix="flowyard-postgres-"))
    user = _unprivileged(folder)
    try:
        _initialise(programs, folder, user)
        process, port = _start(programs, folder, user)
        try:
            yield f"127.0.0.1:{port}"
        finally:
            _stop(process)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def fresh_url(address: str) -> str:
    """The URL of an empty place in the server: a schema of its own."""
    schema = f"s{secrets.token_hex(8)}"
    with psycopg.connect(_url(address), autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")  # type: ignore[call-overload]
    return f"{_url(address)}?options={quote(f'-csearch_path={schema}')}"


def _url(address: str) -> str:
    return f"postgresql://tester:{PASSWORD}@{address}/postgres"


def _unprivileged(folder: Path) -> dict[str, Any]:
    """How to start a process that is not root's, which the server refuses to be."""
    if os.geteuid() != 0:
        return {}
    try:
        entry = pwd.getpwnam("postgres")
    except KeyError:
        entry = pwd.getpwnam("nobody")
    os.chown(folder, entry.pw_uid, entry.pw_gid)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _initialise(programs: Path, folder: Path, user: dict[str, Any]) -> None:
    password = folder / "password"
    password.write_text(PASSWORD)
    if user:
        os.chown(password, user["user"], user["group"])
    words = ["-U", "tester", "--pwfile", password, "--auth=scram-sha-256", "--no-sync", "--locale=C", "-E", "UTF8"]
    subprocess.run(
        [programs / "initdb", "-D", folder / "data", *words],
        cwd=folder,
        check=True,
        capture_output=True,
        timeout=120,
        **user,
    )


def _start(programs: Path, folder: Path, user: dict[str, Any]) -> tuple[subprocess.Popen[bytes], int]:
    """Start it on a free port; somebody else may take the port first, so that several are tried."""
    for _ in range(5):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off", "port": port}
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [programs / "postgres", "-D", folder / "data", *words],
                cwd=folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **user,
            )
        if _answers(process, port):
            return process, port
        _stop(process)
    raise AssertionError(f"PostgreSQL did not start: {(folder / 'log').read_text()}")


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    until = time.monotonic() + _START_S
    while process.poll() is None and time.monotonic() < until:
        try:
            psycopg.connect(_url(f"127.0.0.1:{port}"), connect_timeout=5).close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return True
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)  # "fast": ends every connection
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGQUIT)
            process.wait(timeout=30)

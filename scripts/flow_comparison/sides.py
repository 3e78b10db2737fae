"""The two sides of the comparison: flowyard's command line and promptflow, each in its own interpreter."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Job", "Outcome", "OwnSide", "PeerSide", "serve_simulation"]

_HERE = Path(__file__).resolve().parent
_LAUNCHER = _HERE / "loopback_only.py"
_FAILED_IN = re.compile(r"^Failed(?: aggregation)?(?: in ([^:]+))?: ", re.MULTILINE)


@dataclass(frozen=True)
class Job:
    """One flow to run: the same for both sides except for ``folder``, the copy of the corpus that a side works in."""

    relative: str
    inputs: Mapping[str, Any]
    init: Mapping[str, Any]
    connections: Mapping[str, Mapping[str, Any]]
    environ: Mapping[str, str]
    timeout_s: float


@dataclass(frozen=True)
class Outcome:
    """What one side made of a flow. ``ran`` says whether it gave outputs; ``failed`` names nodes that failed."""

    ran: bool
    outputs: Any = None
    metrics: Mapping[str, str] = field(default_factory=dict)
    failed: tuple[str, ...] = ()
    error: str = ""
    refused: bool = False
    timed_out: bool = False


def clean_environ(home: Path) -> dict[str, str]:
    """Little more than a path: nothing of the developer's environment reaches a foreign flow."""
    return {
        "PATH": os.environ.get("PATH", ""),
        "LANG": "C.UTF-8",
        "HOME": str(home),
        "PYTHONDONTWRITEBYTECODE": "1",
        **{name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ},
    }


@contextlib.contextmanager
def serve_simulation(python: Path, home: Path) -> Iterator[str]:
    """The address of a simulated model that echoes prompts."""
    command = [python, "-m", "flowyard", "simulate", _HERE / "rules.yaml"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=clean_environ(home)) as process:
        assert process.stdout is not None
        found = None
        while not found:
            line = process.stdout.readline()
            if not line:
                raise SystemExit("The simulated model did not start.")
            found = re.search(r"http://127\.0\.0\.1:\d+", line)
        try:
            yield found[0]
        finally:
            process.terminate()


class OwnSide:
    """``flowyard flow test --json`` as a process of its own for each flow."""

    def __init__(self, python: Path, corpora: Path, home: Path) -> None:
        self._python = python
        self._corpora = corpora
        self._home = home

    def run(self, job: Job) -> Outcome:
        flow = self._corpora / job.relative
        command = [self._python, "-P", _LAUNCHER, "flowyard", "flow", "test", "--flow", flow, "--json"]
        command += ["--home", self._home / "flowyard"]
        for option, values in (("inputs", job.inputs), ("init", job.init)):
            if values:
                file = self._home / f"{job.relative.replace('/', '__')}.{option}.json"
                file.write_text(json.dumps(values), "utf-8")
                command += [f"--{option}", file]
        connections = {name: json.dumps(fields) for name, fields in job.connections.items()}
        environ = {**clean_environ(self._home), **job.environ, **connections}
        return self._outcome(command, flow.parent, environ, job.timeout_s)

    def _outcome(self, command: list[Any], folder: Path, environ: Mapping[str, str], timeout_s: float) -> Outcome:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        try:
            out, err = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            return Outcome(False, error="timed out", timed_out=True)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        return _own_outcome(process.returncode, out, err)


def _own_outcome(code: int, out: str, err: str) -> Outcome:
    failed = tuple(sorted(name for name in _FAILED_IN.findall(err) if name))
    last = out.strip().rpartition("\n")[2]
    if code in (0, 1) and last:
        metrics = re.search(r"^Metrics: (.*)$", err, re.MULTILINE)
        pairs = (pair.partition("=") for pair in metrics[1].split(", ")) if metrics else ()
        return Outcome(True, json.loads(last), {key: value for key, _, value in pairs}, failed, err)
    return Outcome(False, failed=failed, error=err.strip() or f"exit code {code}", refused=code == 2)


class PeerSide:
    """A promptflow process that forks for each flow; made anew when it dies."""

    def __init__(self, python: Path, corpora: Path, home: Path) -> None:
        self._corpora = corpora
        home.mkdir(parents=True, exist_ok=True)
        (home / "pf.yaml").write_text("telemetry:\n  enabled: false\ntrace:\n  destination: none\n", "utf-8")
        quiet = {"PF_HOME_DIRECTORY": str(home), "PF_LOGGING_LEVEL": "ERROR"}
        environ = {**clean_environ(home), **quiet}
        environ.pop("PYTHONPATH", None)
        self._process = subprocess.Popen(
            [python, "-P", _LAUNCHER, _HERE / "peer_server.py"],
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def run(self, job: Job) -> Outcome:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        asked = {
            "flow": str(self._corpora / job.relative),
            "inputs": job.inputs,
            "init": job.init,
            "connections": job.connections,
            "environ": job.environ,
            "timeout_s": job.timeout_s,
        }
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("promptflow's process ended; is --peer the Python of scripts/peer.sh?")
        found = json.loads(line)
        ran = "outputs" in found
        metrics = {str(key): str(value) for key, value in found.get("metrics", {}).items()}
        failed = tuple(found["failed"])
        refused = not ran and not failed
        timed_out = found.get("timed_out", False)
        return Outcome(ran, found.get("outputs"), metrics, failed, found["error"], refused, timed_out)

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

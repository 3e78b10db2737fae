"""The mock model endpoint as a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench.places import HERE, SCRATCH

__all__ = ["Mock", "mock_model"]


@dataclass(frozen=True, slots=True)
class Mock:
    """A running endpoint."""

    url: str

    @property
    def connection(self) -> str:
        """The connection as the value of an environment variable."""
        return json.dumps({"type": "open_ai", "api_key": "none", "base_url": f"{self.url}/v1"})

    def counts(self) -> dict[str, int]:
        """Calls begun, answered and refused, and the most at once."""
        with urllib.request.urlopen(f"{self.url}/counts", timeout=10) as response:  # noqa: S310 - our own server
            found: dict[str, int] = json.load(response)
            return found


@contextmanager
def mock_model(latency_s: float, limit: int | None = None) -> Iterator[Mock]:
    """Start the endpoint, and end it."""
    SCRATCH.mkdir(exist_ok=True)
    ready = SCRATCH / "mock_ready"
    ready.unlink(missing_ok=True)
    words = [sys.executable, HERE / "mock_model.py", ready, str(latency_s), *([str(limit)] if limit else [])]
    server = subprocess.Popen(words)
    try:
        while not ready.exists():
            time.sleep(0.02)
            if server.poll() is not None:
                sys.exit(f"The mock model ended with {server.returncode}")
        yield Mock(ready.read_text("utf-8"))
    finally:
        server.terminate()
        server.wait()

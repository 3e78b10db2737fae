"""Whether the service in this container answers: its exit code is the container's health.

The port is that of the command that the container was started with, so that a moved one is asked, too.
"""

from __future__ import annotations

import sys
import urllib.request
from pathlib import Path

__all__ = ["port_of"]


def port_of(command: list[str]) -> int:
    """The value of ``--port``; 8080 when the command does not say."""
    return int(command[command.index("--port") + 1]) if "--port" in command[:-1] else 8080


if __name__ == "__main__":
    port = port_of(Path("/proc/1/cmdline").read_text("utf-8").split("\0"))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{port}/health", timeout=2) as answer:
        sys.exit(0 if answer.status == 200 else 1)

"""How a worker process is started, where both the session and the start of the program can look it up."""

from __future__ import annotations

import sys

__all__ = ["WORKER_ARGV"]

WORKER_ARGV = (sys.executable, "-m", "flowyard.sessions.worker")

"""How a worker process is started, where both the session and the start of the program can look it up."""

from __future__ import annotations

import sys

__all__ = ["ASKS_MODELS", "FORK_SERVER_ARGV", "WORKER_ARGV", "WORKER_MODULE"]

WORKER_MODULE = "flowyard.sessions.worker_start"
WORKER_ARGV = (sys.executable, "-P", "-m", WORKER_MODULE)
"""``-P``: a file in the working directory never stands in for a module of the same name."""

FORK_SERVER_ARGV = (sys.executable, "-P", "-m", "flowyard.sessions.fork_server")

ASKS_MODELS = "FLOWYARD_WORKER_ASKS_MODELS"
"""The environment variable that tells a spare worker to import what calls a model, before it is told for which flow."""

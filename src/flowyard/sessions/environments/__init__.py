"""The Python that a session's worker runs on: this one, one of the flow's own, or one in a container."""

from flowyard.sessions.environments.choice import (
    KINDS,
    SessionChoice,
    open_environment,
    requirements_file,
)
from flowyard.sessions.environments.worker_environment import WorkerCommand, WorkerEnvironment

__all__ = [
    "KINDS",
    "SessionChoice",
    "WorkerCommand",
    "WorkerEnvironment",
    "open_environment",
    "requirements_file",
]

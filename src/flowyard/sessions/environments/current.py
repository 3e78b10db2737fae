"""The Python that runs this process, as a session's environment."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from flowyard.sessions.environments.own_source import source_folder
from flowyard.sessions.environments.worker_environment import WORKER_MODULE, WorkerCommand, WorkerEnvironment
from flowyard.settings import python_path

__all__ = ["CurrentEnvironment", "open_current"]


@dataclass(frozen=True)
class CurrentEnvironment(WorkerEnvironment):
    """``source`` is the folder from which flowyard is imported, unless it is installed."""

    python: str
    source: Path | None

    def command(self, module: str = WORKER_MODULE) -> WorkerCommand:
        """See WorkerEnvironment; flowyard is found where this process found it, also when it is not installed."""
        return WorkerCommand((self.python, "-P", "-m", module), python_path(self.source) if self.source else {})


def open_current() -> CurrentEnvironment:
    """The environment of this process."""
    return CurrentEnvironment(sys.executable, source_folder())

"""The Python that runs this process, as a session's environment."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from flowyard._util.worker_command import WORKER_MODULE
from flowyard.sessions.environments.own_source import source_folder
from flowyard.sessions.environments.worker_environment import WorkerCommand, WorkerEnvironment
from flowyard.settings import python_path

__all__ = ["CurrentEnvironment", "open_current"]


@dataclass(frozen=True)
class CurrentEnvironment(WorkerEnvironment):
    """``source`` is the folder that a new process has to be shown, so that it imports the flowyard that runs here."""

    python: str
    source: Path | None

    def command(self, module: str = WORKER_MODULE) -> WorkerCommand:
        """See WorkerEnvironment."""
        return WorkerCommand((self.python, "-P", "-m", module), python_path(self.source) if self.source else {})


def open_current() -> CurrentEnvironment:
    """The environment of this process. What its sys.path has first is not inherited: a script's folder, for example."""
    source = source_folder()
    return CurrentEnvironment(sys.executable, None if str(source) in sys.path[1:] else source)

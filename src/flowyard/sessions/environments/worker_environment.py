"""What every kind of session environment gives: the command that starts a worker in it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from flowyard._util.worker_command import WORKER_ARGV, WORKER_MODULE

__all__ = ["WorkerCommand", "WorkerEnvironment"]


@dataclass(frozen=True, slots=True)
class WorkerCommand:
    """How to start one worker process, which speaks over stdin and stdout.

    ``env`` goes over this process's environment. ``container`` is the name of the container that the command starts,
    if it starts one.
    """

    argv: tuple[str, ...] = WORKER_ARGV
    env: Mapping[str, str] = field(default_factory=dict)
    container: str | None = None


class WorkerEnvironment(ABC):
    """A Python in which flowyard and the flow's requirements can be imported. Close it when its workers have ended."""

    inherits_variables = True
    """Whether a worker has the environment variables of this process. Where not, it has to be told them over stdin."""

    @abstractmethod
    def command(self, module: str = WORKER_MODULE) -> WorkerCommand:
        """The command of one more worker, which runs ``module``. Each worker needs a command of its own."""

    def end(self, command: WorkerCommand) -> None:  # noqa: B027 - most environments leave nothing behind
        """Remove what a worker that was killed has left running. Does nothing when nothing is left."""

    def paths_visible(self, paths: Iterable[Path]) -> WorkerEnvironment:  # noqa: ARG002 - on one machine all are
        """The same environment, with these existing files and folders at the same paths, writable.

        Raises UserError for a path that does not exist.
        """
        return self

    def close(self) -> None:  # noqa: B027 - most environments hold nothing
        """Let go of the environment, so that ``session clear`` may delete it."""

    def __enter__(self) -> WorkerEnvironment:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

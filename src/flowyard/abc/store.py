"""Where records of runs and experiments are kept."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from flowyard.records import ExperimentRecord, RunQuery, RunRecord

__all__ = ["Hold", "Store"]


class Hold(ABC):
    """The right to run one run, which one process has at a time."""

    @abstractmethod
    def require_held(self) -> None:
        """Raises Conflict when the hold was lost, because the run was deleted or its lock file was."""


class Store(ABC):
    """Where records of runs and experiments are kept, for many threads and processes at once.

    Writes are atomic: a reader sees the old or the new record. Every method raises StoreError when the store cannot be
    read or written. A run that is stored as running, but that nobody holds, was killed: it is given as ``canceled``,
    with its finished lines counted.
    """

    @abstractmethod
    def create_run(self, run: RunRecord) -> RunRecord:
        """Claim the run's name and its folder; returns the record with its ``path``. Raises Conflict if taken."""

    @abstractmethod
    def hold(self, name: str) -> AbstractContextManager[Hold]:
        """Hold a run: until the context ends, or this process does, nobody else can, in this process or another.

        The run may be yet to be created; who holds first and then creates is never taken for killed. Raises Conflict,
        naming the process that holds it, and NotFound for what cannot be a run's name.
        """

    @abstractmethod
    def is_held(self, name: str) -> bool:
        """Whether somebody holds the run now."""

    @abstractmethod
    def save_run(self, run: RunRecord) -> None:
        """Replace the stored record of an existing run; one that ended is on disk when this returns.

        Raises NotFound when it was deleted.
        """

    @abstractmethod
    def get_run(self, name: str) -> RunRecord:
        """The run of that name. Raises NotFound, naming near matches."""

    @abstractmethod
    def list_runs(self, query: RunQuery = RunQuery()) -> Sequence[RunRecord]:  # noqa: B008 - frozen
        """The runs that fit, newest first; of the same time, by name."""

    @abstractmethod
    def delete_run(self, name: str) -> None:
        """Remove a run and everything in its folder, following no link. Raises NotFound; Conflict while it is held."""

    @abstractmethod
    def create_experiment_folder(self, name: str, key: str) -> Path:
        """Claim a new folder for one execution of an experiment. Raises Conflict if it exists."""

    @abstractmethod
    def save_experiment(self, experiment: ExperimentRecord) -> None:
        """Store the record in the experiment's folder."""

    @abstractmethod
    def list_experiments(self, name: str | None = None, limit: int | None = None) -> Sequence[ExperimentRecord]:
        """The executions whose folders can be reached from here, newest first; of one experiment, or of all.

        One whose record is missing, because it was killed, or damaged is left out.
        """

    @abstractmethod
    def get_experiment(self, key: str) -> ExperimentRecord:
        """The execution with that key; or the last one of the experiment with that name.

        Raises NotFound, naming near matches, and Conflict when several experiments have an execution of that key.
        """

"""The store: records in a SQL database, and for each run a folder that a person can look into.

    HOME/flowyard.db                                         the records, unless they are in PostgreSQL
    HOME/runs/<run name>/run.json, lines.jsonl, outputs.jsonl
    HOME/experiments/<experiment>/<key>/experiment.json and the reports

``run.json`` is a copy of the record, replaced atomically after the database has it.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from flowyard._util.files import write_atomic
from flowyard._util.suggest import did_you_mean
from flowyard.abc import Hold, Store
from flowyard.errors import Conflict, NotFound, StoreError
from flowyard.records import ExperimentRecord, RunQuery, RunRecord
from flowyard.store import queries
from flowyard.store.database import Database, Session
from flowyard.store.experiment_files import (
    EXPERIMENT_FILE,
    experiment_to_json,
    find_experiment,
    find_experiments,
)
from flowyard.store.hold import HOLD_FILE, hold_folder, is_held, unheld
from flowyard.store.open import open_database
from flowyard.store.queries import StoredRun
from flowyard.store.run_json import count_lines, run_from_text, run_to_json
from flowyard.store.schema import MIGRATIONS, migrate, schema_version
from flowyard.store.take_in import RECORD_FILE, TakenIn, left_out, take_in, was_taken_in

__all__ = ["SqlStore", "StoreStatus"]

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """What a store is: ``version`` of its tables (0 when there are none yet), and how many runs of each status."""

    kind: str
    database: str
    home: Path
    version: int
    known_version: int
    runs: Mapping[str, int]
    left_out: tuple[str, ...]


class SqlStore(Store):
    """Runs and experiments below one folder, which is made at the first write; records in the database of ``url``.

    Without a URL that is a SQLite file in the folder. Raises UserError for a URL that no database of ours has.
    """

    def __init__(self, home: Path, url: str | None = None) -> None:
        self.home = home
        self._runs = home / "runs"
        self._database: Database = open_database(home, url)
        self._home_key = "" if url is None else str(home)  # a file is moved with its home

    def create_run(self, run: RunRecord) -> RunRecord:
        folder = self._runs / run.name
        taken = f"A run named {run.name!r} already exists."
        made = self._claim_run_folder(folder, taken)
        claimed = replace(run, path=folder)
        try:
            if not self._write(lambda session: queries.insert(session, claimed, self._home_key), durable=False):
                raise Conflict(taken, hint="Give another --name.")
        except BaseException:
            if made:
                with suppress(OSError):
                    folder.rmdir()
            raise
        self._write_copy(claimed)
        return claimed

    def hold(self, name: str) -> AbstractContextManager[Hold]:
        return hold_folder(name, self._folder(name))

    def is_held(self, name: str) -> bool:
        try:
            return is_held(self._folder(name))
        except NotFound:
            return False

    def save_run(self, run: RunRecord) -> None:
        if not self._write(lambda session: queries.update(session, run), durable=run.status != "running"):
            raise NotFound(f"There is no run {run.name!r} in {self._database.label} any more.")
        self._write_copy(run)

    def get_run(self, name: str) -> RunRecord:
        while stored := self._find(name):
            run = self._run(stored)
            if run.status != "running":
                return run
            if settled := self._settled(run, stored):
                return settled
        near = did_you_mean(name, self._read(queries.names, []))
        raise NotFound(f"There is no run {name!r} in {self._place}.", hint=near or "See: flowyard run list")

    def list_runs(self, query: RunQuery = RunQuery()) -> Sequence[RunRecord]:  # noqa: B008 - frozen
        running = self._read(queries.find_running, [])
        settled = [self._settled(self._run(stored), stored) for stored in running]
        killed = {run.name: run for run in settled if run and run.status == "canceled"}
        found = self._read(lambda session: queries.select(session, self._database, query, tuple(killed)), [])
        runs = map(self._run, found)
        return [killed.get(run.name, run) if run.status == "running" else run for run in runs]

    def delete_run(self, name: str) -> None:
        run = self.get_run(name)
        with self.hold(name):
            if run.path.is_symlink():
                raise StoreError(
                    f"{run.path} is a link, and what it points to is not deleted.", hint="Remove the link."
                )
            if run.path.parent != self._runs and not (run.path / RECORD_FILE).is_file():
                raise StoreError(f"{run.path} is no folder of a run, so it is not deleted.")
            self._bury(run)

    def create_experiment_folder(self, name: str, key: str) -> Path:
        folder = self.home / "experiments" / name / key
        self._claim(folder, f"Results of {name} with the key {key} already exist.", "Try again.")
        return folder

    def save_experiment(self, experiment: ExperimentRecord) -> None:
        write_atomic(experiment.path / EXPERIMENT_FILE, experiment_to_json(experiment))

    def list_experiments(self, name: str | None = None, limit: int | None = None) -> Sequence[ExperimentRecord]:
        return find_experiments(self.home / "experiments", name)[:limit]

    def get_experiment(self, key: str) -> ExperimentRecord:
        return find_experiment(self.home / "experiments", key)

    def status(self) -> StoreStatus:
        """Where the store is and what it has; changes nothing, so that tables of any version can be looked at."""
        version = counts = folders = None
        if self._database.exists():
            version = self._database.read(lambda session: schema_version(session, self._database))
        if version == len(MIGRATIONS):
            counts = self._database.read(queries.status_counts)
            folders = self._database.read(lambda session: left_out(session, self._home_key))
        return StoreStatus(
            self._database.kind,
            self._database.label,
            self.home,
            version or 0,
            len(MIGRATIONS),
            counts or {},
            tuple(folders or ()),
        )

    def migrate(self) -> TakenIn:
        """Bring the tables to this version and take in the runs that are there as folders only."""

        def migrating(session: Session) -> TakenIn:
            self._database.claim_schema(session)
            return self._migrated(session)

        return self._database.write(migrating)

    def unreadable_runs(self) -> list[Path]:
        """Folders of runs whose record could not be read when they were taken in; ``list_runs`` leaves them out."""
        found = self._read(lambda session: left_out(session, self._home_key), [])
        return [self._runs / name for name in found if (self._runs / name).is_dir()]

    @property
    def _place(self) -> str:
        return str(self.home) if self._database.kind == "sqlite" else self._database.label

    def _read(self, work: Callable[[Session], T], nothing: U) -> T | U:
        """Read from tables of this version; ``nothing`` when there is no store yet."""
        if not self._database.exists():
            if not self._runs.is_dir():
                return nothing
            self.migrate()

        def reading(session: Session) -> list[T]:
            return [work(session)] if self._is_current(session) else []

        found = self._database.read(reading)
        return found[0] if found else self._write(work)

    def _write(self, work: Callable[[Session], T], *, durable: bool = True) -> T:
        def writing(session: Session) -> T:
            if not self._is_current(session):
                self._database.claim_schema(session)
                if not self._is_current(session):  # whoever claimed it before may have done the work
                    self._migrated(session)
            return work(session)

        return self._database.write(writing, durable=durable)

    def _is_current(self, session: Session) -> bool:
        version = schema_version(session, self._database)
        return version == len(MIGRATIONS) and was_taken_in(session, self._home_key)

    def _migrated(self, session: Session) -> TakenIn:
        migrate(session, self._database)
        return take_in(session, self._runs, self._home_key)

    def _run(self, stored: StoredRun) -> RunRecord:
        name, home, text = stored
        try:
            return run_from_text(text, self._runs_of(home) / name)
        except ValueError as error:
            raise StoreError(f"The record of run {name!r} in {self._database.label} is damaged: {error}.") from error

    def _find(self, name: str) -> StoredRun | None:
        return self._read(lambda session: queries.find(session, name), None) if _is_name(name) else None

    def _runs_of(self, home: str) -> Path:
        return Path(home) / "runs" if home else self._runs

    def _folder(self, name: str) -> Path:
        """The folder of a run that is stored or yet to be. Raises NotFound for what cannot be a name."""
        if not _is_name(name):
            raise NotFound(f"{name!r} cannot be a run's name.")
        stored = self._find(name)
        folder = self._runs_of(stored[1] if stored else self._home_key) / name
        if stored and stored[1] != self._home_key and not folder.is_dir():
            raise Conflict(
                f"Run {name!r} was made on another machine: its folder {folder} is not on this one.",
                hint="Use that machine, a folder that both can reach, or another name.",
            )
        return folder

    def _settled(self, run: RunRecord, stored: StoredRun) -> RunRecord | None:
        """A run that is stored as running as what it is: canceled if its process is gone; None if it changed meanwhile.

        What was found is stored, so that a killed run's lines are counted once. A folder that cannot be seen from here
        says nothing about its run.
        """
        if run.path.parent != self._runs and not run.path.is_dir():
            return run
        with unheld(run.path) as free:
            if not free:
                return run
            canceled = replace(run, status="canceled", lines=count_lines(run))
            try:
                changed = self._write(lambda session: queries.update(session, canceled, instead_of=stored[2]))
            except StoreError:
                return canceled  # a store that can only be read is as good
            return canceled if changed else None

    def _bury(self, run: RunRecord) -> None:
        grave = run.path.parent / f".deleted-{uuid.uuid4().hex}"
        try:
            run.path.rename(grave)  # gone at once for every reader; what follows may take its time
        except OSError as error:
            raise StoreError(f"Cannot delete the run's folder {run.path}: {error.strerror}.") from error
        try:
            self._write(lambda session: queries.delete(session, run.name))
        except BaseException:
            grave.rename(run.path)
            raise
        try:
            shutil.rmtree(grave)  # removes links inside the folder, never what they point to
        except OSError as error:
            raise StoreError(f"Cannot delete what is left of run {run.name!r}, {grave}: {error.strerror}.") from error

    def _write_copy(self, run: RunRecord) -> None:
        if run.path.parent != self._runs and not run.path.is_dir():
            return  # the folder is on another machine
        try:
            run.path.mkdir(parents=True, exist_ok=True)
            write_atomic(run.path / RECORD_FILE, run_to_json(run), durable=run.status != "running")
        except OSError as error:
            raise StoreError(f"Cannot write the run's record in {run.path}: {error.strerror}.") from error

    def _claim_run_folder(self, folder: Path, taken: str) -> bool:
        """Make a run's folder, and say whether it had to be made; one that has only been held is as good as new."""
        with suppress(OSError):
            if [each.name for each in folder.iterdir()] == [HOLD_FILE]:
                return False
        self._claim(folder, taken, "Give another --name.")
        return True

    def _claim(self, folder: Path, taken: str, hint: str) -> None:
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir()
        except FileExistsError:
            raise Conflict(taken, hint=hint) from None
        except OSError as error:
            message = f"Cannot write to {self.home}: {error.strerror}."
            raise StoreError(message, hint="Choose another folder with --home or FLOWYARD_HOME.") from error


def _is_name(name: str) -> bool:
    return Path(name).name == name and name not in ("", "..") and "\0" not in name

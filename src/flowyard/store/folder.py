"""The default store: a folder a person can look into.

    HOME/runs/<run name>/run.json, lines.jsonl, outputs.jsonl
    HOME/experiments/<experiment>/<key>/experiment.json, report.html, *.csv

Creating the run's folder claims its name; ``run.json`` is replaced atomically.
"""

from __future__ import annotations

import json
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

from flowyard._util.files import dump_json, write_atomic
from flowyard._util.suggest import did_you_mean
from flowyard.abc import Store
from flowyard.errors import Conflict, NotFound, StoreError
from flowyard.records import ErrorRecord, ExperimentRecord, LineCounts, RunQuery, RunRecord, Usage
from flowyard.store.hold import HOLD_FILE, FileHold, hold_folder, is_held

__all__ = ["FolderStore", "run_from_json", "run_to_json"]


class FolderStore(Store):
    """Runs and experiments below one folder, which is made at the first write."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._runs = home / "runs"

    def create_run(self, run: RunRecord) -> RunRecord:
        folder = self._runs / run.name
        if not self.is_held(run.name) or any(each.name != HOLD_FILE for each in folder.iterdir()):
            self._claim(folder, f"A run named {run.name!r} already exists.", "Give another --name.")
        claimed = replace(run, path=folder)
        self.save_run(claimed)
        return claimed

    def save_run(self, run: RunRecord) -> None:
        try:
            write_atomic(run.path / "run.json", run_to_json(run))
        except OSError as error:
            raise StoreError(f"Cannot write the run's record in {run.path}: {error.strerror}.") from error

    def get_run(self, name: str) -> RunRecord:
        file = self._runs / name / "run.json"
        if Path(name).name != name or not file.is_file():
            near = did_you_mean(name, [run.name for run in self.list_runs()])
            raise NotFound(f"There is no run {name!r} in {self.home}.", hint=near or "See: flowyard run list")
        return self._read(file)

    def list_runs(self, query: RunQuery = RunQuery()) -> Sequence[RunRecord]:  # noqa: B008 - frozen
        found = [run for run, _ in self._read_all() if run is not None and _fits(run, query)]
        newest = sorted(found, key=lambda run: run.created_at, reverse=True)[query.offset :]
        return newest[: query.limit]

    def hold(self, name: str) -> AbstractContextManager[FileHold]:
        if not name or Path(name).name != name:
            raise NotFound(f"{name!r} cannot be a run's name.")
        return hold_folder(name, self._runs / name)

    def is_held(self, name: str) -> bool:
        return bool(name) and Path(name).name == name and is_held(self._runs / name)

    def delete_run(self, name: str) -> None:
        run = self.get_run(name)
        with self.hold(name):
            self._bury(run)

    def _bury(self, run: RunRecord) -> None:
        if run.path.is_symlink():
            raise StoreError(f"{run.path} is a link, and what it points to is not deleted.", hint="Remove the link.")
        grave = self._runs / f".deleted-{uuid.uuid4().hex}"
        try:
            run.path.rename(grave)  # gone at once for every reader; what follows may take its time
            shutil.rmtree(grave)  # removes links inside the folder, never what they point to
        except OSError as error:
            raise StoreError(f"Cannot delete the run's folder {run.path}: {error.strerror}.") from error

    def unreadable_runs(self) -> list[Path]:
        """Folders of runs whose record cannot be read; ``list_runs`` leaves them out."""
        return [file.parent for run, file in self._read_all() if run is None]

    def _read_all(self) -> Iterator[tuple[RunRecord | None, Path]]:
        for file in sorted(self._runs.glob("[!.]*/run.json")):
            try:
                yield self._read(file), file
            except StoreError:
                yield None, file

    def create_experiment_folder(self, name: str, key: str) -> Path:
        folder = self.home / "experiments" / name / key
        self._claim(folder, f"Results of {name} with the key {key} already exist.", "Try again.")
        return folder

    def save_experiment(self, experiment: ExperimentRecord) -> None:
        fields = {name: getattr(experiment, name) for name in ("name", "key", "created_at", "env", "duration_s")}
        body = {
            **fields,
            "runs": [json.loads(run_to_json(run)) for run in experiment.runs],
            "variants": experiment.variants,
            "evaluations": experiment.evaluations,
            "simulated": experiment.simulated,
        }
        write_atomic(experiment.path / "experiment.json", dump_json(body, indent=2))

    def _claim(self, folder: Path, taken: str, hint: str) -> None:
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir()
        except FileExistsError:
            raise Conflict(taken, hint=hint) from None
        except OSError as error:
            message = f"Cannot write to {self.home}: {error.strerror}."
            raise StoreError(message, hint="Choose another folder with --home or FLOWYARD_HOME.") from error

    def _read(self, file: Path) -> RunRecord:
        try:
            run = run_from_json(json.loads(file.read_text(encoding="utf-8")), file.parent)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(f"Cannot read the run's record {file}: {error}.") from error
        if run.status == "running" and not is_held(file.parent):
            return replace(run, status="canceled", lines=_counted(run))
        return run


def _counted(run: RunRecord) -> LineCounts:
    """What a killed run had finished, from its lines; a torn last one does not count."""
    counts = {"completed": 0, "failed": 0}
    if run.lines_path.exists():
        with run.lines_path.open("rb") as file:
            for raw in file:
                if raw.endswith(b"\n"):
                    counts[json.loads(raw)["status"]] += 1
    return LineCounts(run.lines.total, counts["completed"], counts["failed"])


def _fits(run: RunRecord, query: RunQuery) -> bool:
    flow = PurePath(run.flow)
    given = (
        (query.status, {run.status}),
        (query.flow, {run.flow, str(flow.parent), flow.parent.name, flow.stem}),
        (query.role, {run.role}),
        (query.base_run, {run.base_run}),
        (query.archived, {run.archived}),
    )
    pattern = "".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in query.name or "*")
    return (
        all(wanted is None or wanted in having for wanted, having in given)
        and dict(query.tags).items() <= dict(run.tags).items()
        and run.created_at >= (query.since or "")
        and re.fullmatch(pattern, run.name, re.DOTALL) is not None
    )


def run_to_json(run: RunRecord) -> str:
    """The stored text of a run. Its folder is not in it, so that a home can be moved."""
    fields = {name: getattr(run, name) for name in RunRecord.__dataclass_fields__ if name != "path"}
    return dump_json(fields, indent=2)


def run_from_json(data: Mapping[str, Any], folder: Path) -> RunRecord:
    """The inverse of ``run_to_json``."""
    known = {name: data[name] for name in RunRecord.__dataclass_fields__ if name in data}
    known["lines"] = LineCounts(**data["lines"])
    known["usage"] = Usage(**data["usage"])
    known["errors"] = tuple(ErrorRecord(**error) for error in data["errors"])
    for name in ("warnings", "environment_names", "init_names"):
        known[name] = tuple(data.get(name, ()))
    return RunRecord(**known, path=folder)

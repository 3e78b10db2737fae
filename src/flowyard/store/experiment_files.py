"""Records of experiments: one file in the folder of each execution, ``experiments/<experiment>/<key>/``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flowyard._util.files import dump_json
from flowyard._util.suggest import did_you_mean
from flowyard.errors import Conflict, NotFound
from flowyard.records import ExperimentRecord
from flowyard.store.run_json import run_from_json, run_to_json

__all__ = ["EXPERIMENT_FILE", "experiment_to_json", "find_experiment", "find_experiments"]

EXPERIMENT_FILE = "experiment.json"
_PLAIN_FIELDS = ("name", "key", "created_at", "env", "duration_s")
_LATER_FIELDS = ("labels", "defaults", "verdict", "gates", "races", "policy", "is_finished", "request")
"""What records of earlier versions do not have."""


def experiment_to_json(experiment: ExperimentRecord) -> str:
    """The stored text. No folder is in it, so that a home can be moved."""
    body = {
        **{name: getattr(experiment, name) for name in (*_PLAIN_FIELDS, *_LATER_FIELDS)},
        "runs": [json.loads(run_to_json(run)) for run in experiment.runs],
        "variants": experiment.variants,
        "evaluations": experiment.evaluations,
        "simulated": experiment.simulated,
    }
    return dump_json(body, indent=2)


def find_experiments(folder: Path, name: str | None = None) -> list[ExperimentRecord]:
    """The executions below the folder of all experiments, newest first; what is no record is left out."""
    found = (_read(file) for file in folder.glob(f"*/*/{EXPERIMENT_FILE}"))
    fitting = [each for each in found if each is not None and name in (None, each.name)]
    return sorted(fitting, key=lambda each: (each.created_at, each.key), reverse=True)


def find_experiment(folder: Path, key: str) -> ExperimentRecord:
    """The execution with a key, or the newest of the experiment with that name. Raises NotFound, Conflict."""
    everything = find_experiments(folder)
    same = [each for each in everything if key in (each.key, f"{each.name}/{each.key}")]
    if len(same) > 1:
        names = ", ".join(f"{each.name}/{each.key}" for each in same)
        raise Conflict(f"Several experiments have an execution {key!r}.", hint=f"Name one: {names}")
    found = next(iter(same), None) or next((each for each in everything if each.name == key), None)
    if found is None:
        near = did_you_mean(key, [text for each in everything for text in (each.key, each.name)])
        raise NotFound(
            f"There is no experiment {key!r} in {folder.parent}.", hint=near or "See: flowyard experiment list"
        )
    return found


def _read(file: Path) -> ExperimentRecord | None:
    try:
        return _made(json.loads(file.read_text(encoding="utf-8")), file.parent)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _made(body: dict[str, Any], folder: Path) -> ExperimentRecord:
    runs_folder = folder.parent.parent.parent / "runs"
    later: dict[str, Any] = {name: body[name] for name in _LATER_FIELDS if name in body}
    later |= {name: tuple(later.get(name, ())) for name in ("gates", "races")}
    return ExperimentRecord(
        **{name: body[name] for name in _PLAIN_FIELDS},
        **later,
        path=folder,
        runs=tuple(run_from_json(run, _inside(runs_folder, run["name"])) for run in body["runs"]),
        variants={name: dict(assignment) for name, assignment in body["variants"].items()},
        evaluations={name: _pair(pair) for name, pair in body["evaluations"].items()},
    )


def _inside(folder: Path, name: str) -> Path:
    """The folder of a run. Raises ValueError for a name that leads elsewhere: the file may come from anybody."""
    if Path(name).name != name or "\0" in name or name in ("", ".."):
        raise ValueError(f"{name!r} cannot be a run's name")
    return folder / name


def _pair(pair: Sequence[str]) -> tuple[str, str]:
    evaluator, run = pair
    return evaluator, run

"""The shape of the template's web classification: two variants over a dataset and an evaluation of each."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from bench.places import FLOWYARD, HERE, PEER_PYTHON, SCRATCH, has_peer, own_env, peer_env
from bench.table import Row
from bench.timing import Timing, time_command

_ROWS = 100
_HEADLINES = (
    ("goal in the last minute", "sport"),
    ("vote counted twice", "politics"),
    ("chip  sells OUT", "technology"),
    ("late goal, no vote", "sport"),
    ("rain tomorrow", "other"),
)
_FIGURE = f"experiment, {_ROWS} rows, 2 variants, 2 evaluations"
_PEER_SETTINGS: dict[str, dict[str, str]] = {
    "default settings": {},
    "PF_WORKER_COUNT=16": {"PF_WORKER_COUNT": "16"},
}


def run(runs: int) -> list[Row]:
    project = _fresh_project()
    words = [*FLOWYARD, "experiment", "run", project, "--variants", "all"]
    ours = time_command("flowyard experiment run", words, runs=runs, cwd=project, env=own_env())
    if not has_peer():
        return [Row("experiment", _FIGURE, ours.best)]
    rows = []
    for name, settings in _PEER_SETTINGS.items():
        words = [PEER_PYTHON, HERE / "peer_experiment.py", project]
        peer = time_command("promptflow SDK", words, runs=runs, cwd=project, env=peer_env(**settings))
        _require_same(ours, peer, project)
        note = f"peer: SDK in one process, {name}"
        rows.append(Row("experiment", _FIGURE, ours.best, peer.best, peer.min_s / ours.min_s, settings=note))
    return rows


def _require_same(ours: Timing, peer: Timing, project: Path) -> None:
    """Both sides measured the same accuracy."""
    accuracy = json.loads(peer.output.splitlines()[-1])["accuracy"]
    for record in (project / ".flowyard").rglob("run.json"):
        found = json.loads(record.read_text("utf-8"))
        variant = str(found.get("base_run") or "")
        for name, value in accuracy.items():
            if name in variant and found.get("metrics", {}).get("accuracy", value) != value:
                sys.exit(f"Accuracy of {name} differs: {found['metrics']} and {accuracy}.\n{ours.output}")


def _fresh_project() -> Path:
    """A scratch copy of the project with its data, so that no run of ours or theirs lands among the sources."""
    project = SCRATCH / "project"
    shutil.rmtree(project, ignore_errors=True)
    shutil.copytree(HERE / "project", project, ignore=shutil.ignore_patterns("__pycache__", ".promptflow"))
    rows = [_HEADLINES[number % len(_HEADLINES)] for number in range(_ROWS)]
    data = project / "data" / "headlines.jsonl"
    data.parent.mkdir()
    data.write_text("".join(json.dumps({"text": text, "expected": label}) + "\n" for text, label in rows), "utf-8")
    return project

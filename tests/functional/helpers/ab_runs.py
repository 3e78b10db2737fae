"""Tests of two versions through the command line, in this process, by records in a file."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flowyard.cli.main import main

__all__ = ["POLICY", "Ab", "running", "write_records"]

POLICY = """\
name: greeting
arms: {control: a, treatment: b}
primary: {metric: feedback, field: feedback.rating, success: [up], expected: 0.6, smallest: 0.1}
guardrails:
  - {metric: error_rate, most: 0.05, most_times_control: 2}
min_duration: 0s
min_sample: 50
ramp: [{share: 10, min_duration: 0s, min_sample: 10}, 50]
decide: approval
"""

Ab = Callable[..., tuple[int, Any, str]]


def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ab:
    """Runs a command over the use case; gives the exit code, what --json printed (or the text), and stderr."""
    monkeypatch.setenv("FLOWYARD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    monkeypatch.setenv("FLOWYARD_USER", "ann")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ab.yaml").write_text(POLICY)

    def run(*words: str, as_json: bool = True) -> tuple[int, Any, str]:
        with pytest.raises(SystemExit) as ended:
            main([*words, *(["--json"] if as_json else [])])
        printed = capsys.readouterr()
        said = json.loads(printed.out) if as_json and printed.out else printed.out
        return int(ended.value.code or 0), said, printed.err

    return run


def write_records(
    file: Path,
    started_at: str,
    arms: Mapping[str, tuple[int, int]],
    epoch: int = 1,
    *,
    status: int = 200,
    experiment: str = "greeting",
) -> None:
    """Add exposures with feedback: for each arm how many were happy and how many not, mixed."""
    at = datetime.fromisoformat(started_at)
    with file.open("a") as lines:
        for arm, (up, down) in arms.items():
            for number in range(up + down):
                about = {"at": (at + timedelta(milliseconds=number)).isoformat(), "request_id": f"{epoch}{arm}{number}"}
                seen = {"unit": f"{epoch}{arm}{number}", "arm": arm, "epoch": epoch, "latency_s": 0.2, "mirror": False}
                exposure = {"kind": "exposure", **about, "experiment": experiment, "status": status, **seen}
                rating = {"rating": "up" if number < up else "down"}
                lines.write(json.dumps(exposure) + "\n")
                lines.write(json.dumps({"kind": "feedback", **about, "feedback": rating}) + "\n")

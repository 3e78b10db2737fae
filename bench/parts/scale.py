"""Whether memory stays and time grows in proportion when a run is a hundred times as long."""

from __future__ import annotations

from pathlib import Path

from bench.flows import python_flow, write_data
from bench.places import SCRATCH
from bench.runs import own_run
from bench.table import Row
from bench.tree import Measured

_FEW, _SOME, _MANY = 10_000, 100_000, 1_000_000
"""Memory is compared from few to many; the time of a line from some to many, as few are over with the start."""


def run(runs: int) -> list[Row]:
    flow = python_flow()
    few_mb = max(_measured(flow, _FEW).peak_mb for _ in range(max(runs, 3)))
    some_s, start_s = min(_measured(flow, _SOME).wall_s for _ in range(max(runs, 2))), _start_s(flow)
    many = _measured(flow, _MANY)
    _require_lines("many", _MANY)
    per_line_some, per_line_many = (some_s - start_s) / _SOME, (many.wall_s - start_s) / _MANY
    note = f"--workers 2; {many.wall_s:.1f} s beside {some_s:.1f} s, {start_s:.1f} s to start; {many.cpu_s:.0f} s CPU"
    return [
        Row(
            "scale",
            f"peak memory, {_MANY} and {_FEW} lines",
            f"{many.peak_mb:.0f} MB",
            f"{few_mb:.0f} MB",
            few_mb / many.peak_mb,
            1 / 1.2,
        ),
        Row(
            "scale",
            f"time of a line, {_MANY} and {_SOME} lines",
            f"{per_line_many * 1e6:.0f} µs",
            f"{per_line_some * 1e6:.0f} µs",
            per_line_some / per_line_many,
            1 / 1.1,
            note,
        ),
    ]


def _measured(flow: Path, lines: int) -> Measured:
    return own_run(flow, write_data("text", lines), "--workers", "2", name="many" if lines == _MANY else "few")


def _start_s(flow: Path) -> float:
    """The part of a run's time that does not depend on its lines: what a run of one line takes."""
    return min(_measured(flow, 1).wall_s for _ in range(3))


def _require_lines(name: str, lines: int) -> None:
    with (SCRATCH / "home" / "runs" / name / "outputs.jsonl").open(encoding="utf-8") as file:
        found = sum(1 for _ in file)
    if found != lines:
        raise SystemExit(f"{lines} lines were wanted, {found} are there.")

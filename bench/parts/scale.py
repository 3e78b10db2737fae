"""Whether memory stays and time grows in proportion when a run is a hundred times as long."""

from __future__ import annotations

from bench.flows import python_flow, write_data
from bench.places import SCRATCH
from bench.runs import own_run
from bench.table import Row

_FEW, _MANY = 10_000, 1_000_000


def run(runs: int) -> list[Row]:
    flow = python_flow()
    few = [own_run(flow, write_data("text", _FEW), "--workers", "2", name="few") for _ in range(max(runs, 3))]
    many = own_run(flow, write_data("text", _MANY), "--workers", "2", name="many")
    _require_lines("many", _MANY)
    few_mb, start_s = max(each.peak_mb for each in few), _start_s(few[0].wall_s)
    few_s = min(each.wall_s for each in few)
    per_line_few, per_line_many = (few_s - start_s) / _FEW, (many.wall_s - start_s) / _MANY
    note = f"--workers 2; {many.wall_s:.1f} s beside {few_s:.1f} s, {start_s:.1f} s to start; {many.cpu_s:.0f} s CPU"
    return [
        Row(
            "scale",
            f"peak memory, {_FEW} and {_MANY} lines",
            f"{many.peak_mb:.0f} MB",
            f"{few_mb:.0f} MB",
            few_mb / many.peak_mb,
            1 / 1.2,
        ),
        Row(
            "scale",
            "time of a line",
            f"{per_line_many * 1e6:.0f} µs",
            f"{per_line_few * 1e6:.0f} µs",
            per_line_few / per_line_many,
            1 / 1.1,
            note,
        ),
    ]


def _start_s(most: float) -> float:
    """The part of a run's time that does not depend on its lines: what a run of one line takes."""
    one = min(own_run(python_flow(), write_data("text", 1), "--workers", "2", name="one").wall_s for _ in range(3))
    return min(one, most / 2)


def _require_lines(name: str, lines: int) -> None:
    with (SCRATCH / "home" / "runs" / name / "outputs.jsonl").open(encoding="utf-8") as file:
        found = sum(1 for _ in file)
    if found != lines:
        raise SystemExit(f"{lines} lines were wanted, {found} are there.")

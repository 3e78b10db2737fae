"""``--concurrency auto`` against an endpoint that refuses what is above a limit nobody told."""

from __future__ import annotations

from pathlib import Path

from bench.flows import llm_flow, write_data
from bench.mock import mock_model
from bench.runs import own_outputs, own_run, require_same
from bench.table import Row

_LIMIT, _LATENCY_S, _IDEAL_S = 32, 0.2, 30
_FIXED = ("16", "32", "64")


def run(runs: int) -> list[Row]:
    lines = round(_IDEAL_S * _LIMIT / _LATENCY_S)
    flow, data = llm_flow(), write_data("question", lines)
    fixed = {setting: _wall_s(flow, data, setting, lines)[0] for setting in _FIXED}
    best = min(fixed, key=fixed.__getitem__)
    wall_s, refused = min(_wall_s(flow, data, "auto", lines) for _ in range(runs))
    tried = ", ".join(f"{setting}: {seconds:.1f} s" for setting, seconds in fixed.items())
    note = f"{lines} calls of {_LATENCY_S * 1000:.0f} ms, 429 above {_LIMIT}; {refused} refused; fixed {tried}"
    return [
        Row(
            "auto",
            f"auto beside --concurrency {best}",
            f"{wall_s:.1f} s",
            f"{fixed[best]:.1f} s",
            fixed[best] / wall_s,
            0.9,
            note,
        )
    ]


def _wall_s(flow: Path, data: Path, setting: str, lines: int) -> tuple[float, int]:
    """Seconds, and how many calls were refused. Every line has to be answered in the end."""
    with mock_model(_LATENCY_S, _LIMIT) as mock:
        options = ("--concurrency", setting, "--no-cache")
        measured = own_run(flow, data, *options, env={"BENCH_MODEL": mock.connection})
        refused = mock.counts()["refused"]
    outputs = own_outputs("answer")
    require_same(outputs, outputs, lines)
    return measured.wall_s, refused

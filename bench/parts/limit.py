"""How near a run comes to the least time that its calls can take: lines × latency / concurrency."""

from __future__ import annotations

from pathlib import Path

from bench.flows import llm_flow, write_data
from bench.mock import mock_model
from bench.runs import own_outputs, own_run, require_same
from bench.table import Row

_IDEAL_S = 60
_SIZES = ((16, 0.2), (64, 0.2), (256, 1.0))


def run(runs: int) -> list[Row]:
    flow = llm_flow()
    return [_share(flow, at_once, latency_s, runs) for at_once, latency_s in _SIZES]


def _share(flow: Path, at_once: int, latency_s: float, runs: int) -> Row:
    lines = round(_IDEAL_S * at_once / latency_s)
    data = write_data("question", lines)
    with mock_model(latency_s) as mock:
        options = ("--concurrency", str(at_once), "--no-cache")
        wall_s = min(own_run(flow, data, *options, env={"BENCH_MODEL": mock.connection}).wall_s for _ in range(runs))
        most = mock.counts()["most"]
    outputs = own_outputs("answer")
    require_same(outputs, outputs, lines)
    figure = f"{lines} calls of {latency_s * 1000:.0f} ms, {at_once} at once"
    note = f"whole process; most at once as the endpoint saw it: {most}"
    return Row("limit", figure, f"{wall_s:.1f} s", f"ideal {_IDEAL_S:.1f} s", _IDEAL_S / wall_s, 0.97, note)

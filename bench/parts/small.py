"""A run of three lines, as it is started again and again while a flow is written."""

from __future__ import annotations

from bench.flows import python_flow, write_data
from bench.places import has_peer
from bench.runs import own_outputs, own_run, peer_outputs, peer_run, require_same
from bench.table import Row

_LINES = 3


def run(runs: int) -> list[Row]:
    flow, data = python_flow(), write_data("text", _LINES)
    ours = min(own_run(flow, data).wall_s for _ in range(runs))
    figure = f"3 python nodes, {_LINES} lines"
    if not has_peer():
        return [Row("small", figure, f"{ours:.2f} s")]
    peer = min(peer_run(flow, data, 1).wall_s for _ in range(runs))
    require_same(own_outputs("result"), peer_outputs("result"), _LINES)
    note = "whole process, defaults; peer: PF_WORKER_COUNT=1, its fastest; same outputs"
    return [Row("small", figure, f"{ours:.2f} s", f"{peer:.2f} s", peer / ours, 10, note)]

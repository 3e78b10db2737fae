"""Lines per second and memory of a flow of three python nodes."""

from __future__ import annotations

from bench.flows import python_flow, write_data
from bench.places import has_peer
from bench.runs import own_outputs, own_run, peer_outputs, peer_run, require_same
from bench.table import Row

_LINES = 10_000
_PEER_WORKERS = 16
_FIGURE = f"3 python nodes, {_LINES} lines"


def run(runs: int) -> list[Row]:
    flow, data = python_flow(), write_data("text", _LINES)
    tried = [own_run(flow, data, "--workers", "2") for _ in range(runs)]
    ours = min(tried, key=lambda each: each.wall_s)
    memory = max(each.peak_mb for each in tried)
    rate = _LINES / ours.wall_s
    outputs = own_outputs("result")
    if not has_peer():
        require_same(outputs, outputs, _LINES)
        return [Row("throughput", _FIGURE, f"{rate:.0f} lines/s"), Row("throughput", "peak memory", f"{memory:.0f} MB")]
    peer = peer_run(flow, data, _PEER_WORKERS)
    require_same(outputs, peer_outputs("result"), _LINES)
    peer_rate = _LINES / peer.wall_s
    note = f"whole process; flowyard: --workers 2; peer once: PF_WORKER_COUNT={_PEER_WORKERS}; same outputs"
    return [
        Row("throughput", _FIGURE, f"{rate:.0f} lines/s", f"{peer_rate:.1f} lines/s", rate / peer_rate, 50),
        Row("throughput", "peak memory", f"{memory:.0f} MB", f"{peer.peak_mb:.0f} MB", peer.peak_mb / memory, 10, note),
    ]

"""Lines of one model call, with as many in flight on both sides."""

from __future__ import annotations

from bench.flows import llm_flow, write_data
from bench.mock import mock_model
from bench.places import has_peer
from bench.runs import own_outputs, own_run, peer_connection, peer_outputs, peer_run, require_same
from bench.table import Row

_LINES, _LATENCY_S, _AT_ONCE = 500, 0.2, 32
_FIGURE = f"{_LINES} model calls of {_LATENCY_S * 1000:.0f} ms, {_AT_ONCE} at once"


def run(runs: int) -> list[Row]:
    flow, data = llm_flow(), write_data("question", _LINES)
    ideal = _LINES * _LATENCY_S / _AT_ONCE
    with mock_model(_LATENCY_S) as mock:
        env = {"BENCH_MODEL": mock.connection}
        tried = [own_run(flow, data, "--concurrency", str(_AT_ONCE), "--no-cache", env=env) for _ in range(runs)]
        ours = min(tried, key=lambda each: each.wall_s)
        outputs = own_outputs("answer")
        if not has_peer():
            require_same(outputs, outputs, _LINES)
            return [Row("llm", _FIGURE, f"{ours.wall_s:.1f} s", f"ideal {ideal:.1f} s")]
        peer_connection(mock.url)
        peer = peer_run(flow, data, _AT_ONCE)
    require_same(outputs, peer_outputs("answer"), _LINES)
    note = (
        f"whole process, ideal {ideal:.1f} s; flowyard: --concurrency {_AT_ONCE}; peer once: PF_WORKER_COUNT={_AT_ONCE}"
    )
    return [
        Row("llm", _FIGURE, f"{ours.wall_s:.1f} s", f"{peer.wall_s:.1f} s", peer.wall_s / ours.wall_s, 3),
        Row(
            "llm",
            "peak memory",
            f"{ours.peak_mb:.0f} MB",
            f"{peer.peak_mb:.0f} MB",
            peer.peak_mb / ours.peak_mb,
            settings=note,
        ),
    ]

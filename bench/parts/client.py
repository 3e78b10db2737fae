"""What a model call costs our client and the ``openai`` package, against the same endpoint without latency."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from bench.mock import mock_model
from bench.places import HERE, PEER_PYTHON, has_peer, own_env
from bench.table import Row

_CALLS, _AT_ONCE = 2000, 16


def run(runs: int) -> list[Row]:
    with mock_model(0) as mock:
        cpu_s, import_s, _ = _cost(Path(sys.executable), "flowyard", mock.url, runs)
        if not has_peer():
            return [Row("client", "CPU of a chat call", f"{cpu_s * 1e6:.0f} µs")]
        peer_cpu_s, peer_import_s, label = _cost(PEER_PYTHON, "openai", mock.url, runs)
    note = f"{_CALLS} calls, {_AT_ONCE} at once, no latency; peer: {label}"
    return [
        Row("client", "CPU of a chat call", f"{cpu_s * 1e6:.0f} µs", f"{peer_cpu_s * 1e6:.0f} µs", peer_cpu_s / cpu_s),
        Row(
            "client",
            "import",
            f"{import_s * 1000:.0f} ms",
            f"{peer_import_s * 1000:.0f} ms",
            peer_import_s / import_s,
            settings=note,
        ),
    ]


def _cost(python: Path, client: str, url: str, runs: int) -> tuple[float, float, str]:
    """The least CPU seconds per call and import seconds of several processes, and what the client is."""
    command = [str(python), str(HERE / "model_client.py"), client, f"{url}/v1", str(_CALLS), str(_AT_ONCE)]
    found = [
        json.loads(subprocess.run(command, capture_output=True, text=True, check=True, env=own_env()).stdout)
        for _ in range(runs)
    ]
    return (
        min(each["cpu_s_per_call"] for each in found),
        min(each["import_s"] for each in found),
        str(found[0]["client"]),
    )

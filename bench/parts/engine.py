"""What the engine costs on one core: a flow of three python nodes, and a model call with its HTTP client."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from bench.flows import llm_flow, python_flow
from bench.mock import mock_model
from bench.places import HERE, SCRATCH, own_env
from bench.table import Row

PROFILE = SCRATCH / "profile.md"
_PYTHON_LINES, _MODEL_LINES, _AT_ONCE = 20_000, 5_000, 16
_PYTHON_MOST_S, _MODEL_MOST_S = 150e-6, 500e-6


def run(runs: int) -> list[Row]:
    python_s = min(_cost(python_flow(), _PYTHON_LINES, 0) for _ in range(runs))
    _cost(python_flow(), _PYTHON_LINES, 0, profile=PROFILE)
    with mock_model(0) as mock:
        model_s = min(_cost(llm_flow(), _MODEL_LINES, _AT_ONCE, model=mock.connection) for _ in range(runs))
    return [
        _row("CPU of a line of 3 python nodes", python_s, _PYTHON_MOST_S, f"{_PYTHON_LINES} lines, results encoded"),
        _row("CPU of a line of 1 model call", model_s, _MODEL_MOST_S, f"{_MODEL_LINES} lines, with the HTTP client"),
    ]


def _row(figure: str, seconds: float, most_s: float, settings: str) -> Row:
    return Row(
        "engine", figure, f"{seconds * 1e6:.0f} µs", f"at most {most_s * 1e6:.0f} µs", most_s / seconds, 1, settings
    )


def _cost(flow: Path, lines: int, at_once: int, *, model: str = "", profile: Path | None = None) -> float:
    words = [sys.executable, HERE / "engine_cost.py", flow, str(lines), str(at_once), *([profile] if profile else [])]
    done = subprocess.run(words, env=own_env(BENCH_MODEL=model), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"engine_cost.py ended with {done.returncode}:\n{done.stderr}")
    return float(json.loads(done.stdout)["cpu_s_per_line"])

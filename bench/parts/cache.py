"""How many calls a run makes after the last prompt of three was changed."""

from __future__ import annotations

import shutil

from bench.flows import model_chain_flow, write_data
from bench.mock import mock_model
from bench.places import SCRATCH
from bench.runs import own_outputs, own_run, require_same
from bench.table import Row

_LINES = 200


def run(_runs: int) -> list[Row]:
    flow, data = model_chain_flow(), write_data("question", _LINES)
    shutil.rmtree(SCRATCH / "home", ignore_errors=True)  # with what was kept of earlier runs
    with mock_model(0.01) as mock:
        env = {"BENCH_MODEL": mock.connection}
        calls = []
        for changed in (False, False, True):
            if changed:
                prompt = flow / "last.jinja2"
                prompt.write_text(prompt.read_text("utf-8") + "Be brief.\n", "utf-8")
            before = mock.counts()["begun"]
            own_run(flow, data, "--cache", "on", env=env)
            outputs = own_outputs("answer")
            require_same(outputs, outputs, _LINES)
            calls.append(mock.counts()["begun"] - before)
    first, again, after = calls
    return [
        Row("cache", f"calls of a first run, {_LINES} lines × 3 calls", str(first), str(3 * _LINES)),
        Row("cache", "calls of the same run again", str(again), "0", 1.0 if again == 0 else 0.0, 1),
        Row("cache", "calls after the last prompt changed", str(after), str(_LINES), _LINES / max(after, 1), 1),
    ]

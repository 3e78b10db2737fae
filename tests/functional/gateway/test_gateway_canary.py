"""A canary that becomes bad behind a real gateway gets nothing any more after two looks of ``flowyard ab`` at most."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from functional_helper import flowyard_here
from gateway_helper import Behind, Gate, behind, exposures, gateway

POLICY = """\
name: shop
arms: {control: "a:1", treatment: b}
primary: {metric: feedback, field: feedback.rating, success: [up]}
guardrails: [{metric: error_rate, most: 0.05, most_times_control: 2}]
interval: 1s
ramp: [50]
"""
USERS = 160
"""In each interval, about half of them at the canary."""


def run(gate: Gate, *words: str) -> tuple[int, Any]:
    done = flowyard_here(*words, "--json", cwd=gate.folder, env={**gate.env, "HOME": str(gate.folder)})
    assert done.returncode in (0, 3), done.stderr
    return done.returncode, json.loads(done.stdout)


def interval(gate: Gate, number: int) -> tuple[int, Any]:
    """Some new users ask, and a look is taken at all that was written down."""
    statuses = [gate.ask(x_user_id=f"user-{number}-{user}").status for user in range(USERS)]
    assert set(statuses) <= {200, 500}
    gate.until(lambda _: written(gate.folder) == USERS * (number + 1))
    run(gate, "monitor", "collect", "exposures")
    return run(gate, "ab", "decide", ".")


def written(folder: Path) -> int:
    return sum(file.read_bytes().count(b"\n") for file in (folder / "exposures").glob("*.jsonl"))


def fail_a_fifth(canary: Behind) -> None:
    canary.fail_every = 5


@pytest.mark.parametrize("spoil", [fail_a_fifth, Behind.stop], ids=["fails 20 %", "is away"])
def test_a_canary_that_becomes_bad_is_back_at_nothing_within_two_intervals(tmp_path: Path, spoil: Any):
    with behind("a", "b") as (a, b), gateway(tmp_path, {"a": a, "b": b}, weights={"a": 1, "b": 0}) as gate:
        split = f'split: {{gateway: "{gate.control_url}", key: "${{GATEWAY_KEY}}"}}\n'
        (tmp_path / "ab.yaml").write_text(POLICY + split)
        assert run(gate, "ab", "start", ".")[1]["ramp"]["share"] == 50
        assert interval(gate, 0)[0] == interval(gate, 1)[0] == 0, "a good canary is left alone"
        assert gate.state()["weights"] == {"a": 50, "b": 50}
        spoil(b)
        code, found = interval(gate, 2)
        if not code:
            code, found = interval(gate, 3)
        assert (code, found["state"]) == (3, "rollback")
        assert found["rule"].startswith("guardrail error_rate"), (
            "a sample ratio that is right, and an error rate that is not"
        )
        assert gate.state()["weights"] == {"a": 100, "b": 0}
        asked = len(b.asked)
        assert {gate.ask(x_user_id=f"user-2-{user}").arm for user in range(USERS)} == {"a"}
        assert len(b.asked) == asked
        gate.stop()
    noted = exposures(tmp_path)
    instead = [each for each in noted if each["chosen_by"] == "fallback"]
    assert bool(instead) == (spoil is Behind.stop)
    assert all((each["arm"], each["assigned"], each["status"]) == ("a", "b", 200) for each in instead)

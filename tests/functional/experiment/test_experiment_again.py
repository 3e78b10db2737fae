"""An experiment of 48 runs with a judge: a second execution asks the model for nothing."""

from __future__ import annotations

import json
import re
from typing import Any

from bench.again_project import write_again_project
from counting_server import counting_server
from functional_helper import EXAMPLE, Project


def reply(body: dict[str, Any]) -> str:
    """A category, or a grade when a judge asks."""
    canary = re.search(r'"canary": "([0-9a-f]{8})"', body["messages"][0]["content"])
    if canary:
        return json.dumps({"canary": canary[1], "reason": "So.", "grade": 4})
    return json.dumps({"category": "billing", "confidence": 0.9, "reason": "So."})


def test_a_second_execution_makes_no_model_call(project: Project):
    """Not one: neither to be refused. The endpoint refuses the form in which the judge asks first."""
    path = write_again_project(EXAMPLE, project.root / "again", lines=2)
    with counting_server() as server:
        server.reply, server.refuse = reply, "json_schema"
        env = server.environment("TRIAGE_MODEL")
        first, second = (
            json.loads(project.run("experiment", "run", path, "--json", env=env, timeout=300).stdout) for _ in range(2)
        )
        refused = sum("json_schema" in json.dumps(body) for body in server.asked)
    asked = server.answered
    assert first["usage"]["model_calls"] == asked > 8 * 4  # one answer to each version's question, and the judge's
    assert refused > 0
    assert len(server.asked) == asked + refused
    assert (second["usage"]["model_calls"], second["usage"]["cached_calls"]) == (0, 8 * 4 * 2)
    assert len(first["runs"]) == 8 * 2
    assert all(len(run["evaluations"]) == 2 for run in first["runs"])
    assert measured(second) == measured(first)


def measured(result: dict[str, Any]) -> list[Any]:
    return [(run["dataset"], run["variant"], each["metrics"]) for run in result["runs"] for each in run["evaluations"]]

"""``flowyard simulate``: LLM nodes over HTTP get what ``--simulate`` gives them without a server."""

from __future__ import annotations

import json
import signal
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from functional_helper import (
    ASK_FLOW,
    ASK_TEMPLATE,
    PATIENCE_S,
    RULES,
    Project,
    ending,
    read_jsonl,
    start_flowyard,
    wait_for_text,
)

QUESTIONS = [f"question {n}" for n in range(12)] + ["What is the capital of Latvia?"]


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
        return json.loads(answer.read())


@pytest.fixture
def asking(project: Project) -> list[str]:
    """The words of a run of an LLM flow over the questions."""
    flow = project.flow("ask", ASK_FLOW, ask_jinja2=ASK_TEMPLATE)
    data = project.jsonl("data.jsonl", [{"question": question} for question in QUESTIONS])
    project.write("rules.yaml", RULES)
    return ["run", "create", "--flow", flow, "--data", data]


def connections(server: str) -> dict[str, dict[str, str]]:
    return {
        "open_ai": {"type": "open_ai", "api_key": "any", "base_url": f"{server}/v1"},
        "azure_open_ai": {"type": "azure_open_ai", "api_key": "any", "api_base": server},
    }


@pytest.mark.parametrize("kind", ["open_ai", "azure_open_ai"])
def test_the_same_answers_with_and_without_a_server(
    project: Project, asking: list[str], simulated_server: str, kind: str
):
    inside = project.json(*asking, "--simulate", "rules.yaml")
    before = get(f"{simulated_server}/stats")
    connection = json.dumps(connections(simulated_server)[kind])
    outside = project.json(*asking, env={"my_model": connection})
    answers = read_jsonl(inside["outputs"])
    assert read_jsonl(outside["outputs"]) == answers
    assert len({row["answer"] for row in answers}) == len(QUESTIONS)
    assert answers[-1]["answer"] == "The capital."
    assert get(f"{simulated_server}/stats") != before
    assert inside["simulated"] is True
    assert outside["simulated"] is True, "the server marks its answers"
    assert inside["usage"]["calls"] == outside["usage"]["calls"] == len(QUESTIONS)


def test_simulation_wins_over_a_real_connection(project: Project, asking: list[str]):
    env = {"my_model": json.dumps({"type": "open_ai", "api_key": "k", "base_url": "http://127.0.0.1:9/v1"})}
    run = project.json(*asking, "--simulate", "rules.yaml", env=env)
    assert run["lines"]["failed"] == 0


def test_every_place_says_that_the_model_was_simulated(project: Project, asking: list[str]):
    done = project.run(*asking, "--simulate", "rules.yaml", "--name", "r")
    assert "imulated" in done.stdout
    assert "imulated" in done.stderr
    assert "imulated" in project.run("run", "show", "--name", "r").stdout


def test_it_stops_when_it_is_told_to(project: Project, tmp_path: Path):
    rules, ready = project.write("rules.yaml", RULES), tmp_path / "ready"
    for name in (signal.SIGINT, signal.SIGTERM):
        ready.unlink(missing_ok=True)
        with ending(start_flowyard("simulate", rules, "--ready-file", ready, cwd=project.root)) as server:
            assert get(f"{wait_for_text(ready)}/health")["status"] == "ok"
            server.send_signal(name)
            assert server.wait(timeout=PATIENCE_S) == 0


def test_bad_rules(project: Project):
    project.write("bad.yaml", "seed: 1\nruls: []\n")
    flow = project.flow("ask", ASK_FLOW, ask_jinja2=ASK_TEMPLATE)
    said = project.rejected("flow", "test", "--flow", flow, "--inputs", "question=x", "--simulate", "bad.yaml")
    assert "bad.yaml:2" in said
    assert "Did you mean 'rules'" in said

"""What people suffered from with models in prompt flow, and do not here: pains 8, 9, 18 and 20."""

from __future__ import annotations

import json

import pytest
from functional_helper import ASK_FLOW, ASK_TEMPLATE, RULES, Project

ASKED = ["--inputs", "question=What is the capital of Latvia?"]


@pytest.mark.parametrize(
    "connection",
    [
        {"type": "open_ai", "base_url": "{server}/v1"},
        {"type": "serverless", "api_key": "k", "api_base": "{server}"},
        {"type": "custom", "configs": {"base_url": "{server}/v1"}, "secrets": {}},
        {"type": "custom", "configs": {"base_url": "{server}/v1"}, "secrets": {"api_key": "k"}},
    ],
    ids=["no key", "serverless", "custom without a key", "custom"],
)
def test_pain_8_any_endpoint_that_speaks_openai(project: Project, simulated_server: str, connection: dict):
    """vLLM, Ollama, a gateway: an address is enough, and a custom connection is taken."""
    flow = project.flow("ask", ASK_FLOW, ask_jinja2=ASK_TEMPLATE)
    env = {"my_model": json.dumps(connection).replace("{server}", simulated_server)}
    assert project.json("flow", "test", "--flow", flow, *ASKED, env=env) == {"answer": "The capital."}


def test_a_custom_connection_without_an_address_is_refused(project: Project):
    flow = project.flow("ask", ASK_FLOW, ask_jinja2=ASK_TEMPLATE)
    env = {"my_model": json.dumps({"type": "custom", "configs": {"url": "x"}, "secrets": {}})}
    said = project.rejected("flow", "test", "--flow", flow, *ASKED, env=env)
    assert "base_url" in said


ECHO_RULES = """\
rules:
- reply: "{{ request | tojson }}"
"""


def test_pain_9_parameters_that_are_newer_than_the_runtime(project: Project):
    """Known new ones are inputs of the node; any other goes through ``extra_body``."""
    newer = "    max_completion_tokens: '64'\n    reasoning_effort: low\n    extra_body: {verbosity: low}\n"
    flow = project.flow("ask", ASK_FLOW.replace("  connection:", newer + "  connection:"), ask_jinja2=ASK_TEMPLATE)
    project.write("rules.yaml", ECHO_RULES)
    answer = project.json("flow", "test", "--flow", flow, *ASKED, "--simulate", "rules.yaml")["answer"]
    sent = json.loads(answer)
    assert (sent["max_completion_tokens"], sent["reasoning_effort"], sent["verbosity"]) == (64, "low", "low")
    assert "extra_body" not in sent


def test_a_parameter_that_goes_nowhere_is_said(project: Project):
    yaml = ASK_FLOW.replace("  connection:", "    verbosity: low\n  connection:")
    flow = project.flow("ask", yaml, ask_jinja2=ASK_TEMPLATE)
    project.write("rules.yaml", RULES)
    said = project.run("flow", "test", "--flow", flow, *ASKED, "--simulate", "rules.yaml").stderr
    assert "verbosity" in said
    assert "extra_body" in said


def test_pain_18_tokens_are_always_counted(project: Project, simulated_server: str):
    """Of whole answers and of streams, for any model name, in each record of a run and without a switch."""
    flow = project.flow("ask", ASK_FLOW.replace("model: small", "model: never-heard-of"), ask_jinja2=ASK_TEMPLATE)
    data = project.jsonl("data.jsonl", [{"question": "What is the capital of Latvia?"}] * 3)
    env = {"my_model": json.dumps({"type": "open_ai", "base_url": f"{simulated_server}/v1"})}
    run = project.json("run", "create", "--flow", flow, "--data", data, "--no-cache", env=env)
    assert run["usage"]["calls"] == 3
    per_line = [line["nodes"][0]["usage"] for line in project.lines(run)]
    assert all(usage["prompt_tokens"] > 0 and usage["completion_tokens"] > 0 for usage in per_line)
    assert run["usage"]["prompt_tokens"] == sum(usage["prompt_tokens"] for usage in per_line)


@pytest.mark.parametrize(
    "template",
    [
        "user:\n{{ question.__class__.__mro__[1].__subclasses__() }}\n",
        "user:\n{{ ''.__class__.__base__.__subclasses__() }}\n",
        "user:\n{{ cycler.__init__.__globals__.os.popen('id').read() }}\n",
        "user:\n{% set _ = question.__init__.__globals__ %}{{ _ }}\n",
    ],
)
def test_pain_20_the_sandbox_has_no_switch(project: Project, template: str):
    flow = project.flow("ask", ASK_FLOW, ask_jinja2=template)
    project.write("rules.yaml", ECHO_RULES)
    done = project.run(
        *("flow", "test", "--flow", flow, *ASKED, "--simulate", "rules.yaml"),
        code=1,
        env={"PF_USE_SANDBOX_FOR_JINJA": "false"},
    )
    assert "Failed in ask" in done.stderr
    assert "uid=" not in done.stdout + done.stderr

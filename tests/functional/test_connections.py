"""Where connections come from, what reaches a node of them, and that secrets are never shown or stored."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from functional_helper import ASK_FLOW, ASK_TEMPLATE, Completed, Project, all_text, one_node_flow

KEY = "sk-Zq8vT3mLw0/cB+tested=="
CONNECTION_TOOL = """\
from promptflow.connections import {kind}
from promptflow.core import tool


@tool
def work(x: str, conn: {kind}):
    {body}
"""
SHOW_OPEN_AI = CONNECTION_TOOL.format(
    kind="OpenAIConnection",
    body='return {"key": conn.api_key[::-1], "base": conn.base_url, "type": type(conn).__name__}',
)
SHOW_AZURE = CONNECTION_TOOL.format(
    kind="AzureOpenAIConnection",
    body='return {"key": conn.api_key[::-1], "base": conn.api_base, "type": type(conn).__name__}',
)
SHOW_CUSTOM = CONNECTION_TOOL.format(
    kind="CustomConnection",
    body="return {'key': conn.token[::-1], 'place': conn.place, 'item': conn['place'], 'dict': conn.configs['place']}",
)


def connection_flow(project: Project, tool: str) -> str:
    return project.flow("flow", one_node_flow({"x": "string"}, connection="my_model"), work_py=tool)


def out(project: Project, flow: str, *args: str, env: dict[str, str] | None = None) -> Any:
    return project.json("flow", "test", "--flow", flow, "--inputs", "x=1", *args, env=env)["out"]


OPEN_AI = {"key": KEY[::-1], "base": "http://localhost:1/v1", "type": "OpenAIConnection"}
AZURE = {"key": KEY[::-1], "base": "https://there.openai.azure.com", "type": "AzureOpenAIConnection"}
OPEN_AI_JSON = json.dumps({"type": "open_ai", "api_key": KEY, "base_url": OPEN_AI["base"]})
AZURE_JSON = json.dumps({"type": "azure_open_ai", "api_key": KEY, "api_base": AZURE["base"]})
OPEN_AI_FIELDS = {"MY_MODEL_API_KEY": KEY, "MY_MODEL_BASE_URL": OPEN_AI["base"]}
AZURE_FIELDS = {"MY_MODEL_TYPE": "azure_open_ai", "MY_MODEL_API_KEY": KEY, "MY_MODEL_API_BASE": AZURE["base"]}

VARIABLES = {
    "json": (SHOW_OPEN_AI, {"my_model": OPEN_AI_JSON}, OPEN_AI),
    "fields": (SHOW_OPEN_AI, OPEN_AI_FIELDS, OPEN_AI),
    "azure json": (SHOW_AZURE, {"my_model": AZURE_JSON}, AZURE),
    "azure fields": (SHOW_AZURE, AZURE_FIELDS, AZURE),
}


@pytest.mark.parametrize(("tool", "variables", "expected"), VARIABLES.values(), ids=VARIABLES.keys())
def test_variables_and_env_files(project: Project, tool: str, variables: dict[str, str], expected: dict[str, str]):
    flow = connection_flow(project, tool)
    assert out(project, flow, env=variables) == expected
    project.write("flow/.env", "".join(f"export {name}='{value}'  # quoted\n" for name, value in variables.items()))
    assert out(project, flow) == expected


@pytest.mark.parametrize("variables", [{"my_model": OPEN_AI_JSON}, OPEN_AI_FIELDS], ids=["json", "fields"])
def test_a_named_env_file(project: Project, variables: dict[str, str]):
    text = "".join(f"{name}={value}\n" for name, value in variables.items())
    file = project.write("elsewhere/keys.env", f"# keys\n{text}")
    project.write("flow/.env", "MY_MODEL_API_KEY=not this one\n")
    assert out(project, connection_flow(project, SHOW_OPEN_AI), "--env-file", str(file)) == OPEN_AI


def test_the_env_file_of_the_project_above_the_flow(project: Project):
    project.write("pyproject.toml", "")
    project.write(".env", f"my_model={OPEN_AI_JSON}\n")
    assert out(project, connection_flow(project, SHOW_OPEN_AI)) == OPEN_AI


def test_the_environment_wins_over_an_env_file(project: Project):
    project.write("flow/.env", OPEN_AI_JSON.join(["my_model=", "\n"]))
    found = out(project, connection_flow(project, SHOW_OPEN_AI), env={"MY_MODEL_BASE_URL": "http://localhost:2/v1"})
    assert found == OPEN_AI | {"base": "http://localhost:2/v1"}


def test_connection_files_with_variables(project: Project):
    yaml = "name: my_model\ntype: open_ai\napi_key: ${env:THE_KEY}\nbase_url: http://localhost:1/v1\n"
    project.write("pyproject.toml", "")
    project.write("connections/any_name.yaml", yaml)
    flow = connection_flow(project, SHOW_OPEN_AI)
    assert out(project, flow, env={"THE_KEY": KEY}) == OPEN_AI
    said = project.rejected("flow", "test", "--flow", flow, "--inputs", "x=1")
    assert "THE_KEY" in said
    assert "any_name.yaml:3" in said


CUSTOM = {"key": KEY[::-1], "place": "north", "item": "north", "dict": "north"}
CUSTOM_YAML = """\
name: my_model
type: custom
configs:
  place: north
secrets:
  token: ${env:THE_KEY}
"""


def test_custom_connections(project: Project):
    flow = connection_flow(project, SHOW_CUSTOM)
    whole = json.dumps({"type": "custom", "configs": {"place": "north"}, "secrets": {"token": KEY}})
    assert out(project, flow, env={"my_model": whole}) == CUSTOM
    project.write("pyproject.toml", "")
    project.write("connections/my_model.yaml", CUSTOM_YAML)
    assert out(project, flow, env={"THE_KEY": KEY}) == CUSTOM


def test_a_connection_of_another_type(project: Project):
    said = project.rejected(
        "flow", "test", "--flow", connection_flow(project, SHOW_AZURE), "--inputs", "x=1", env=OPEN_AI_FIELDS
    )
    assert "AzureOpenAIConnection" in said
    assert "OpenAIConnection" in said
    assert KEY not in said


class _EchoKey(BaseHTTPRequestHandler):
    """Says no, and repeats the key it was given, as some gateways do."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        given = self.headers.get("Authorization") or self.headers.get("api-key")
        message = f"Incorrect API key provided: {given}. Again: {given}"
        body = json.dumps({"error": {"message": message, "code": "invalid_api_key"}}).encode()
        self.send_response(401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""


@pytest.fixture(scope="module")
def echoing_server() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _EchoKey)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def run_everything(project: Project, flow: str, env: dict[str, str], code: int = 1) -> list[Completed]:
    """A run over a few rows, everything that shows it, and the flow over one line."""
    column = "question" if flow == "ask" else "x"
    data = project.jsonl("data.jsonl", [{column: str(n)} for n in range(4)])
    return [
        project.run("run", "create", "--flow", flow, "--data", data, "--name", "r", "--stream", code=code, env=env),
        project.run("flow", "test", "--flow", flow, "--inputs", f"{column}=0", code=code, env=env),
        project.run("run", "show-details", "--name", "r"),
        project.run("run", "show-details", "--name", "r", "--json"),
    ]


def assert_hidden(project: Project, done: list[Completed]) -> None:
    shown = [each.stdout + each.stderr for each in done] + [all_text(project.home)]
    forms = {KEY, json.dumps(KEY)[1:-1], KEY.replace("/", "\\/")}
    assert [text for text in shown if any(form in text for form in forms)] == []
    assert "******" in shown[-1]


FAILURES = """\
if x == "0":
        raise ValueError(f"the key is {conn.api_key}")
    if x == "1":
        raise KeyError(conn.api_key)
    if x == "2":
        raise RuntimeError({"headers": {"Authorization": f"Bearer {conn.api_key}"}})
    try:
        int(conn.api_key)
    except ValueError as error:
        raise RuntimeError(str(error)) from error"""


def test_exceptions_that_hold_the_key(project: Project):
    flow = connection_flow(project, CONNECTION_TOOL.format(kind="OpenAIConnection", body=FAILURES))
    done = run_everything(project, flow, OPEN_AI_FIELDS)
    assert_hidden(project, done)
    assert [line["error"]["type"] for line in json.loads(done[-1].stdout)] == [
        "ValueError",
        "KeyError",
        "RuntimeError",
        "RuntimeError",
    ]
    assert done[-1].stdout.count("******") >= 4


def test_a_secret_of_a_custom_connection_in_an_exception(project: Project):
    flow = connection_flow(
        project, CONNECTION_TOOL.format(kind="CustomConnection", body="raise ValueError(conn.token)")
    )
    whole = json.dumps({"type": "custom", "configs": {"place": "north"}, "secrets": {"token": KEY}})
    assert_hidden(project, run_everything(project, flow, {"my_model": whole}))


def test_a_printed_connection_hides_its_key(project: Project):
    body = 'print(conn, repr(conn), f"{conn}", [conn], {"c": conn})\n    return repr(conn)'
    flow = connection_flow(project, CONNECTION_TOOL.format(kind="OpenAIConnection", body=body))
    done = run_everything(project, flow, OPEN_AI_FIELDS, code=0)
    assert "OpenAIConnection(name='my_model'" in done[0].stderr
    assert_hidden(project, done)


@pytest.mark.parametrize("kind", ["open_ai", "azure_open_ai"])
def test_a_refusal_that_repeats_the_key(project: Project, echoing_server: str, kind: str):
    flow = project.flow("ask", ASK_FLOW, ask_jinja2=ASK_TEMPLATE)
    connection = {"type": kind, "api_key": KEY}
    connection |= {"base_url": f"{echoing_server}/v1"} if kind == "open_ai" else {"api_base": echoing_server}
    done = run_everything(project, flow, {"my_model": json.dumps(connection)})
    assert "401" in done[1].stderr
    assert_hidden(project, done)


def test_a_key_in_an_env_file_is_hidden_too(project: Project, echoing_server: str):
    flow = project.flow("ask", ASK_FLOW, ask_jinja2=ASK_TEMPLATE)
    project.write("ask/.env", f"MY_MODEL_API_KEY={KEY}\nMY_MODEL_BASE_URL={echoing_server}/v1\n")
    assert_hidden(project, run_everything(project, flow, {}))


def test_a_flow_alone_finds_what_the_experiment_around_it_declares_last_of_all(project: Project):
    flow = project.flow("flows/ask", ASK_FLOW, ask_jinja2=ASK_TEMPLATE)
    (project.root / "experiment.yaml").write_text(
        "name: e\nconnections:\n- name: my_model\n  connection_type: AzureOpenAIConnection\n"
        "  api_base: ${api_base}\n  api_key: ${api_key}\ndatasets: misspelt\n"
    )
    said = project.rejected("flow", "validate", "--flow", flow)
    assert "MY_MODEL_API_BASE" in said
    assert "experiment.yaml:3" in said
    variables = {"MY_MODEL_API_BASE": "https://x.example", "MY_MODEL_API_KEY": KEY}
    assert "is valid" in project.run("flow", "validate", "--flow", flow, env=variables).stdout
    (project.root / "connections").mkdir()
    (project.root / "connections" / "mine.yaml").write_text(f"name: my_model\ntype: open_ai\napi_key: {KEY}\n")
    assert "is valid" in project.run("flow", "validate", "--flow", flow).stdout

"""What hurt with connections in prompt flow does not hurt here; numbers are those of the list of pains."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from functional_helper import Project, one_node_flow

KEY = "sk-Zq8vT3mLw0/cB+tested=="
YAML = f"name: my_model\ntype: open_ai\napi_key: {KEY}\nbase_url: http://localhost:1/v1\n"
TOOL = """\
from promptflow.connections import OpenAIConnection
from promptflow.core import tool


@tool
def work(x: str, conn: OpenAIConnection):
    return {"key": conn.api_key[::-1], "base": conn.base_url}
"""
SEEN = {"key": KEY[::-1], "base": "http://localhost:1/v1"}


def flow(project: Project) -> str:
    return project.flow("flow", one_node_flow({"x": "string"}, connection="my_model"), work_py=TOOL)


def out(project: Project, **env: str) -> Any:
    return project.json("flow", "test", "--flow", "flow", "--inputs", "x=1", env=env)["out"]


def test_pain_05_connections_need_no_keyring(project: Project, tmp_path: Path):
    """No desktop, no session bus, no home, and a keyring package that fails: the store works all the same."""
    broken = tmp_path / "site"
    broken.mkdir()
    (broken / "keyring.py").write_text("raise RuntimeError('no keyring on this machine')\n")
    headless = {"PYTHONPATH": str(broken), "HOME": "/nonexistent", "DISPLAY": "", "DBUS_SESSION_BUS_ADDRESS": ""}
    project.write("connection.yaml", YAML)
    project.run("connection", "create", "-f", "connection.yaml", env=headless)
    flow(project)
    assert out(project, **headless) == SEEN


def test_pain_05_an_env_file_is_enough(project: Project):
    flow(project)
    project.write("flow/.env", f"MY_MODEL_API_KEY={KEY}\nMY_MODEL_BASE_URL={SEEN['base']}\n")
    assert out(project) == SEEN
    assert not project.home.exists()


def test_pain_05_an_unquoted_api_version_is_a_text(project: Project):
    project.write(
        "connection.yaml",
        f"name: a\ntype: azure_open_ai\napi_key: {KEY}\napi_base: https://a\napi_version: 2024-02-01\n",
    )
    assert project.json("connection", "create", "-f", "connection.yaml")["api_version"] == "2024-02-01"


def test_pain_06_the_same_flow_finds_its_connection_on_a_desk_in_ci_and_in_a_container(project: Project):
    """One resolver: the store on a desk, variables in CI, a mounted .env or YAML file in a container."""
    flow(project)
    project.write("pyproject.toml", "")
    project.write("connection.yaml", YAML)
    project.run("connection", "create", "-f", "connection.yaml")
    assert out(project) == SEEN
    project.run("connection", "delete", "-y", "-n", "my_model")
    assert out(project, MY_MODEL_API_KEY=KEY, MY_MODEL_BASE_URL=SEEN["base"]) == SEEN
    assert out(project, my_model=json.dumps({"type": "open_ai", "api_key": KEY, "base_url": SEEN["base"]})) == SEEN
    project.write("mounted.env", f"MY_MODEL_API_KEY={KEY}\nMY_MODEL_BASE_URL={SEEN['base']}\n")
    args = ("flow", "test", "--flow", "flow", "--inputs", "x=1", "--env-file", "mounted.env")
    assert project.json(*args)["out"] == SEEN
    project.write("connections/my_model.yaml", YAML.replace(KEY, "${env:THE_KEY}"))
    assert out(project, THE_KEY=KEY) == SEEN


def test_pain_06_a_changed_value_is_seen_by_the_next_run(project: Project):
    flow(project)
    project.write("connection.yaml", YAML)
    project.run("connection", "create", "-f", "connection.yaml")
    assert out(project) == SEEN
    project.write("new.txt", "a new key")
    project.run("connection", "update", "-n", "my_model", "--set", "api_key=@new.txt")
    assert out(project) == {**SEEN, "key": "a new key"[::-1]}
    assert out(project, MY_MODEL_API_KEY=KEY) == SEEN


def test_pain_06_it_is_said_where_a_connection_comes_from(project: Project):
    project.write("connection.yaml", YAML)
    project.run("connection", "create", "-f", "connection.yaml")
    assert project.json("connection", "show", "-n", "my_model")["origin"] == "local store"
    variable = {"my_model": json.dumps({"type": "open_ai", "api_key": KEY})}
    assert project.json("connection", "show", "-n", "my_model", env=variable)["origin"] == "environment"


class _Provider(BaseHTTPRequestHandler):
    """Answers for one connection, is broken for another, and knows no third."""

    def do_GET(self) -> None:
        value = {"api_key": KEY, "base_url": SEEN["base"]}
        body = {
            "type": "OpenAIConnection",
            "module": "promptflow.connections",
            "value": value,
            "secret_keys": ["api_key"],
        }
        status = {"/connections/my_model": 200, "/connections/broken": 500, "/connections/moved": 302}.get(
            self.path, 404
        )
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/connections/my_model")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode() if status == 200 else b"{}")

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""


@pytest.fixture
def provider() -> Iterator[dict[str, str]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Provider)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield {"PF_HTTP_CONNECTION_PROVIDER_ENDPOINT": f"http://127.0.0.1:{server.server_address[1]}"}
    server.shutdown()
    thread.join()
    server.server_close()


def test_pain_06_a_service_can_answer_for_connections(project: Project, provider: dict[str, str]):
    flow(project)
    assert out(project, **provider) == SEEN
    shown = project.json("connection", "show", "-n", "my_model", env=provider)
    assert (shown["origin"], shown["api_key"]) == ("HTTP provider", "******")
    assert "nobody" in project.run("connection", "show", "-n", "nobody", code=2, env=provider).stderr
    for name, status in (("broken", "500"), ("moved", "302")):
        assert status in project.run("connection", "show", "-n", name, code=5, env=provider).stderr
    gone = {"PF_HTTP_CONNECTION_PROVIDER_ENDPOINT": "http://127.0.0.1:1"}
    assert "does not answer" in project.run("connection", "show", "-n", "my_model", code=5, env=gone).stderr
    odd = {"PF_HTTP_CONNECTION_PROVIDER_ENDPOINT": "file:///etc"}
    assert "http://" in project.run("connection", "show", "-n", "my_model", code=2, env=odd).stderr

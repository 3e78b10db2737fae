"""Connections of an Azure ML workspace, from a stand-in that answers as its API is documented."""

from __future__ import annotations

import json
import pickle
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from counting_server import counting_server
from functional_helper import Project
from serve_helper import ASKED, chat_flow, serving
from stand_in import server_context, write_certificate

from flowyard.errors import OutsideError, UserError
from flowyard.llm.workspace_source import WorkspaceSource, open_workspace_source

TOKEN = "workspace-token"
KEY = "sk-workspace-key"
IDS = "/subscriptions/s1/resourceGroups/g1/providers/Microsoft.MachineLearningServices/workspaces/w1"
OVERRIDE = "deployment.subscription_id=s1,deployment.resource_group=g1,deployment.workspace_name=w1,deployment.x=y"


class Workspace:
    """``connections`` are the records by name; ``faults`` are statuses that are answered first."""

    def __init__(self) -> None:
        self.connections: dict[str, dict[str, Any]] = {}
        self.faults: list[int] = []
        self.asked: list[str] = []
        self.address = ""
        self.ca_file = ""

    def answer(self, path: str, token: str) -> tuple[int, Any]:
        self.asked.append(path)
        if self.faults:
            return self.faults.pop(0), {}
        if token != f"Bearer {TOKEN}":
            return 401, {"error": {"code": "AuthenticationFailed"}}
        where, _, rest = path.partition("/connections/")
        name = rest.removesuffix("/listsecrets?api-version=2023-04-01-preview")
        if where != IDS or name == rest or name not in self.connections:
            return 404, {"error": {"code": "UserError"}}
        return 200, {"name": name, "properties": self.connections[name]}


@contextmanager
def running(workspace: Workspace, folder: Path) -> Iterator[Workspace]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status, body = workspace.answer(self.path, self.headers.get("Authorization", ""))
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("Retry-After", "0")
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    certificate, key = write_certificate(folder)
    context = server_context(certificate, key)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        workspace.address = f"https://127.0.0.1:{server.server_address[1]}"
        workspace.ca_file = str(certificate)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield workspace
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with running(Workspace(), tmp_path) as started:
        yield started


def source(workspace: Workspace, token: str = TOKEN) -> WorkspaceSource:
    names = ("s1", "g1", "w1")
    return WorkspaceSource(*names, management=workspace.address, ca_file=workspace.ca_file, token=lambda _: token)


RECORDS = [
    (
        {
            "category": "AzureOpenAI",
            "authType": "ApiKey",
            "target": "https://a.example",
            "credentials": {"key": KEY},
            "metadata": {"ApiType": "azure", "ApiVersion": "2024-06-01", "ResourceId": "/subscriptions/x"},
        },
        "azure_open_ai",
        {"api_key": KEY, "api_base": "https://a.example", "api_version": "2024-06-01", "auth_mode": "key"},
    ),
    (
        {"category": "AzureOpenAI", "authType": "AAD", "target": "https://a.example", "metadata": {}},
        "azure_open_ai",
        {"api_base": "https://a.example", "auth_mode": "meid_token"},
    ),
    (
        {"category": "OpenAI", "authType": "ApiKey", "target": None, "credentials": {"key": KEY}, "metadata": {}},
        "open_ai",
        {"api_key": KEY},
    ),
    (
        {
            "category": "CognitiveService",
            "authType": "ApiKey",
            "target": "https://c.example",
            "credentials": {"key": KEY},
            "metadata": {"Kind": "Content Safety", "ApiVersion": "2023-10-01"},
        },
        "azure_content_safety",
        {"api_key": KEY, "endpoint": "https://c.example"},
    ),
    (
        {
            "category": "CustomKeys",
            "authType": "CustomKeys",
            "credentials": {"keys": {"token": KEY}},
            "metadata": {"address": "https://d.example", "azureml.flow.module": "promptflow.connections"},
        },
        "custom",
        {"token": KEY, "address": "https://d.example"},
    ),
]


@pytest.mark.parametrize(("record", "kind", "fields"), RECORDS)
def test_a_record_is_the_connection_that_prompt_flow_makes_of_it(
    workspace: Workspace, record: dict[str, Any], kind: str, fields: dict[str, str]
):
    workspace.connections["mine"] = record
    asking = source(workspace)
    found = asking.find("mine")
    assert found is not None
    assert found.type == kind
    assert {name: found[name] for name in fields} == fields
    assert KEY not in repr(found)
    assert asking.find("mine") is found
    assert len(workspace.asked) == 1
    assert asking.find("other") is None
    assert asking.names() == []


def test_faults_pass_and_refusals_say_the_role(workspace: Workspace):
    workspace.connections["mine"] = RECORDS[0][0]
    workspace.faults = [503, 429]
    assert source(workspace).find("mine") is not None
    workspace.faults = [500, 500, 500]
    with pytest.raises(OutsideError, match="500"):
        source(workspace).find("mine")
    with pytest.raises(OutsideError) as refused:
        source(workspace, "wrong-token").find("mine")
    assert "Connection Secrets Reader" in (refused.value.hint or "")
    assert "wrong-token" not in str(refused.value)
    workspace.connections["mine"] = {"category": "Snowflake", "authType": "PAT"}
    with pytest.raises(UserError, match="Snowflake"):
        source(workspace).find("mine")


def test_a_served_flow_reads_the_workspace_that_its_deployment_names(project: Project, workspace: Workspace):
    flow = chat_flow(project)
    with counting_server() as model:
        metadata: dict[str, str] = {}
        credentials = {"key": KEY}
        workspace.connections["shared"] = {
            "category": "OpenAI",
            "authType": "ApiKey",
            "target": f"{model.url}/v1",
            "credentials": credentials,
            "metadata": metadata,
        }
        env = {
            "PRT_CONFIG_OVERRIDE": OVERRIDE,
            "my_model": "shared",
            "FLOWYARD_AZURE_TOKEN": TOKEN,
            "FLOWYARD_AZURE_MANAGEMENT": workspace.address,
            "REQUESTS_CA_BUNDLE": workspace.ca_file,
        }
        with serving(project, flow, env=env) as ask:
            assert ask("/score", {"question": ASKED}).json()["answer"] == "answer 1"


NAMING = (
    ("PROMPTFLOW_CONNECTION_PROVIDER", f"azureml:/{IDS}"),
    ("PF_CONNECTION_PROVIDER", f"azureml://{IDS[1:]}"),
    ("AML_DEPLOYMENT_RESOURCE_ID", f"{IDS}/onlineEndpoints/e/deployments/d"),
)


def test_which_workspace():
    assert open_workspace_source({}) is None
    assert open_workspace_source({"PROMPTFLOW_CONNECTION_PROVIDER": "local", "PRT_CONFIG_OVERRIDE": OVERRIDE}) is None
    found = open_workspace_source({"PRT_CONFIG_OVERRIDE": OVERRIDE})
    assert found is not None
    assert pickle.loads(pickle.dumps(found)).label == "Azure ML workspace w1"
    for wrong in ({"PROMPTFLOW_CONNECTION_PROVIDER": "azure"}, {"PRT_CONFIG_OVERRIDE": "deployment.x=y"}):
        with pytest.raises(UserError, match=next(iter(wrong))):
            open_workspace_source(wrong)
    for name, value in NAMING:
        assert (named := open_workspace_source({name: value})) is not None
        assert named.label == "Azure ML workspace w1"

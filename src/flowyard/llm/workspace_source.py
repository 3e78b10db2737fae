"""Connections of an Azure ML workspace, as its deployments read them: ``POST …/connections/<name>/listsecrets``."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from flowyard.abc import ConnectionSource
from flowyard.azure.cloud import AzureCloud
from flowyard.azure.credentials import TOKEN_VARIABLE
from flowyard.errors import OutsideError, UserError
from flowyard.llm.connection import Connection
from flowyard.llm.connection_base import entra_token
from flowyard.llm.connection_parsing import parse_connection
from flowyard.llm.plain_get import Answer, NoAnswer, get_json

__all__ = ["WorkspaceSource", "open_workspace_source"]

_API = "2023-04-01-preview"
_ATTEMPTS = 3
_LONGEST_WAIT_S = 5.0
_WORKSPACE = re.compile(
    r"(?:azureml:/)?/?/?subscriptions/([^/]+)/resourceGroups/([^/]+)/providers/Microsoft\.MachineLearningServices"
    r"/workspaces/([^/]+)(?:/onlineEndpoints/.*)?/?",
    re.IGNORECASE,
)
_OWN = "azureml.flow."
_KINDS = {"AIServices": "AzureAIServices", "CustomKeys": "Custom"}
_COGNITIVE = {"Content Safety": "AzureContentSafety", "Form Recognizer": "FormRecognizer"}
_ADDRESS = {"OpenAI": "base_url", "CognitiveService": "endpoint", "AIServices": "endpoint"}
_ROLE = "Azure Machine Learning Workspace Connection Secrets Reader"


def open_workspace_source(environ: Mapping[str, str]) -> WorkspaceSource | None:
    """The workspace that the environment names as prompt flow's server has it; None when it names none.

    That is PROMPTFLOW_CONNECTION_PROVIDER, else PRT_CONFIG_OVERRIDE, else AML_DEPLOYMENT_RESOURCE_ID, which Azure ML
    sets itself. Raises UserError for one that is no workspace.
    """
    provider = environ.get("PROMPTFLOW_CONNECTION_PROVIDER") or environ.get("PF_CONNECTION_PROVIDER", "")
    if provider.strip() in ("local", "azureml"):
        return None
    if provider.strip():
        found = _WORKSPACE.fullmatch(provider.strip())
        names = found.groups() if found else None
        variable = "PROMPTFLOW_CONNECTION_PROVIDER"
    elif override := environ.get("PRT_CONFIG_OVERRIDE", "").strip():
        names, variable = _overridden(override), "PRT_CONFIG_OVERRIDE"
    elif deployed := environ.get("AML_DEPLOYMENT_RESOURCE_ID", "").strip():
        found = _WORKSPACE.fullmatch(deployed)
        names, variable = (found.groups() if found else None), "AML_DEPLOYMENT_RESOURCE_ID"
    else:
        return None
    if names is None:
        hint = "It reads azureml://subscriptions/…/resourceGroups/…/providers/Microsoft.MachineLearningServices/"
        hint += "workspaces/…; PRT_CONFIG_OVERRIDE reads deployment.subscription_id=…,deployment.resource_group=…,"
        raise UserError(f"{variable} names no workspace.", hint=f"{hint}deployment.workspace_name=…")
    cloud = AzureCloud.read(environ)
    return WorkspaceSource(*names, management=cloud.management, ca_file=cloud.ca_file)


def _overridden(text: str) -> tuple[str, str, str] | None:
    settings = {name.strip(): value.strip() for name, _, value in (part.partition("=") for part in text.split(","))}
    names = [settings.get(f"deployment.{name}", "") for name in ("subscription_id", "resource_group", "workspace_name")]
    return (names[0], names[1], names[2]) if all(names) else None


def _token(scope: str) -> str:
    return os.environ.get(TOKEN_VARIABLE) or entra_token(scope, "Reading connections from Azure ML")


class WorkspaceSource(ConnectionSource):
    """Asks the workspace for each name that no nearer source knows, once; ``names`` does not ask."""

    def __init__(
        self,
        subscription: str,
        group: str,
        workspace: str,
        *,
        management: str,
        ca_file: str | None = None,
        token: Callable[[str], str] = _token,
    ) -> None:
        self.label = f"Azure ML workspace {workspace}"
        self._workspace = workspace
        self._management = management
        parts = ("subscriptions", subscription, "resourceGroups", group, "providers")
        path = "/".join(quote(part, safe="") for part in (*parts, "Microsoft.MachineLearningServices", "workspaces"))
        self._address = f"{management}/{path}/{quote(workspace, safe='')}/connections"
        self._ca_file = ca_file
        self._new_token = token
        self._found: dict[str, Connection | None] = {}

    def find(self, name: str) -> Connection | None:
        """The connection, or None when the workspace has none of that name.

        Raises UserError when it is of a kind that flows have not, and OutsideError for every other answer.
        """
        if name not in self._found:
            self._found[name] = self._find(name)
        return self._found[name]

    def names(self) -> list[str]:
        return []

    def _find(self, name: str) -> Connection | None:
        answer = self._answer(f"{self._address}/{quote(name, safe='')}/listsecrets?api-version={_API}")
        if answer.status == 404 and _code(answer.body) != "ResourceGroupNotFound":
            return None
        if answer.status in (401, 403):
            hint = f"The identity needs the role {_ROLE!r} on the workspace {self._workspace}."
            raise OutsideError(f"{self.label} does not let this identity read {name!r} ({answer.status}).", hint=hint)
        body = answer.body if isinstance(answer.body, dict) else {}
        if answer.status != 200 or not isinstance(body.get("properties"), dict):
            raise OutsideError(f"{self.label} answered {answer.status} for the connection {name!r}.")
        return parse_connection(name, _as_prompt_flow_has_it(name, body["properties"], self.label), self.label)

    def _answer(self, address: str) -> Answer:
        try:
            token = self._new_token(f"{self._management}/.default")
        except UserError:
            raise
        except Exception as error:  # the errors of azure-identity; their texts can be pages long
            raise OutsideError(f"There is no login for Azure ({type(error).__name__}).") from None
        headers = {"Authorization": f"Bearer {token}"}
        answer = None
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                answer = get_json(address, headers, method="POST", ca_file=self._ca_file)
            except NoAnswer:
                answer = None
            if answer is not None and answer.status != 429 and answer.status < 500:
                return answer
            if attempt < _ATTEMPTS:
                asked = answer.retry_after_s if answer is not None else None
                time.sleep(min(0.5 * attempt if asked is None else asked, _LONGEST_WAIT_S))
        if answer is None:
            raise OutsideError(f"{self.label} does not answer at {self._management}.")
        return answer


def _as_prompt_flow_has_it(name: str, properties: Mapping[str, Any], label: str) -> dict[str, Any]:
    """The fields of a connection from a workspace's record: its category, address, credentials and metadata."""
    category = str(properties.get("category", ""))
    metadata = {str(key).lower(): value for key, value in (properties.get("metadata") or {}).items()}
    credentials = properties.get("credentials") or {}
    if category == "CustomKeys":
        return _custom(properties, metadata)
    kind = _KINDS.get(category, category)
    if category == "CognitiveService":
        kind = _COGNITIVE.get(str(metadata.get("kind", "")), "")
    auth = str(properties.get("authType", ""))
    if not kind or auth.lower() not in ("apikey", "aad"):
        raise UserError(f"The connection {name!r} ({category}, {auth}) is of a kind that flows have not.", where=label)
    fields = {
        "type": kind,
        "api_key": credentials.get("key"),
        _ADDRESS.get(category, "api_base"): properties.get("target") if category != "Serp" else None,
        "api_version": metadata.get("apiversion"),
        "resource_id": metadata.get("resourceid") if category == "AzureOpenAI" else None,
        "organization": metadata.get("organization") if category == "OpenAI" else None,
        "auth_mode": "meid_token" if auth.lower() == "aad" else None,
    }
    return {key: value for key, value in fields.items() if value}


def _custom(properties: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Keys are secrets, all other texts are not; of a kind with a class, they are its fields."""
    keys = dict((properties.get("credentials") or {}).get("keys") or {})
    others = {
        str(key): value
        for key, value in (properties.get("metadata") or {}).items()
        if not str(key).lower().startswith(_OWN)
    }
    kind = str(metadata.get(f"{_OWN}connection_type") or "Custom")
    if kind not in ("Custom", "CustomConnection"):
        return {"type": kind, **others, **keys}
    return {"type": "custom", "configs": others, "secrets": keys}


def _code(body: Any) -> str:
    error = body.get("error") if isinstance(body, dict) else None
    return str(error.get("code", "")) if isinstance(error, dict) else ""

"""An account in Azure with one workspace, as it is read by the management API; and its hosts, which only answer.

Strict about the version of the API for each path, about logins and about methods: nothing but GET is allowed.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from stand_in import serving

SUBSCRIPTION = "00000000-1111-2222-3333-444444444444"
TOP = f"/subscriptions/{SUBSCRIPTION}"
GROUP = f"{TOP}/resourceGroups/tests"
WORKSPACE = f"{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/bench"
REGISTRY = f"{GROUP}/providers/Microsoft.ContainerRegistry/registries/images"
STORAGE = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/files"
VAULT = f"{GROUP}/providers/Microsoft.KeyVault/vaults/keys"
REGION = f"{TOP}/providers/Microsoft.MachineLearningServices/locations/westeurope"
CALLER = "11111111-aaaa-bbbb-cccc-000000000001"
ENDPOINT_IDENTITY = "22222222-aaaa-bbbb-cccc-000000000002"

ROLES: dict[str, dict[str, Any]] = {
    "AzureML Data Scientist": {
        "actions": [f"Microsoft.MachineLearningServices/workspaces/*/{each}" for each in ("read", "action", "write")],
        "notActions": [
            "Microsoft.MachineLearningServices/workspaces/computes/*/write",
            "Microsoft.MachineLearningServices/workspaces/listKeys/action",
        ],
    },
    "AcrPush": {
        "actions": [f"Microsoft.ContainerRegistry/registries/{each}" for each in ("pull/read", "push/write")],
    },
    "AcrPull": {"actions": ["Microsoft.ContainerRegistry/registries/pull/read"]},
    "Storage Blob Data Contributor": {
        "dataActions": [
            f"Microsoft.Storage/storageAccounts/blobServices/containers/blobs/{each}" for each in ("read", "write")
        ]
    },
    "Storage Blob Data Reader": {
        "dataActions": ["Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read"],
    },
    "Azure Machine Learning Workspace Connection Secrets Reader": {
        "actions": ["Microsoft.MachineLearningServices/workspaces/connections/listsecrets/action"],
    },
    "Key Vault Reader": {"actions": ["Microsoft.KeyVault/vaults/read"]},
    "Owner": {"actions": ["*"]},
}
VERSIONS = {
    "Microsoft.MachineLearningServices": "2024-10-01",
    "Microsoft.ContainerRegistry": "2023-07-01",
    "Microsoft.Storage": "2023-05-01",
    "Microsoft.KeyVault": "2023-07-01",
    "Microsoft.Authorization": "2022-04-01",
}
_PROVIDERS = (
    *("MachineLearningServices", "ContainerRegistry", "Storage", "KeyVault", "Insights", "ManagedIdentity", "Web"),
)


def login_token(**claims: str) -> str:
    """A token in the form of Entra's, unsigned."""
    parts = ({"alg": "none"}, {"oid": CALLER, "tid": "the-tenant", **claims})
    return ".".join(base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for each in parts) + ".x"


@dataclass
class Account:
    """``records`` are what there is by path, ``given`` who has which role where, ``refuse`` statuses by a pattern."""

    ca_file: Path
    address: str = ""
    token: str = field(default_factory=lambda: login_token(appid="the-application", idtyp="app"))
    records: dict[str, Any] = field(default_factory=dict)
    given: set[tuple[str, str, str]] = field(default_factory=set)
    refuse: dict[str, int] = field(default_factory=dict)
    seen: list[tuple[str, str]] = field(default_factory=list)

    def fill(self) -> None:
        """Everything as it has to be."""
        self.refuse.clear()
        self.seen.clear()
        self.records = {
            TOP: {"displayName": "Tests", "state": "Enabled", "subscriptionId": SUBSCRIPTION},
            GROUP: {"name": "tests", "location": "westeurope"},
            WORKSPACE: {
                "name": "bench",
                "location": "westeurope",
                "properties": {
                    "provisioningState": "Succeeded",
                    "containerRegistry": REGISTRY,
                    "storageAccount": STORAGE,
                    "keyVault": VAULT,
                },
            },
            REGISTRY: {"properties": {"loginServer": self.address.removeprefix("https://")}},
            STORAGE: {"properties": {"primaryEndpoints": {"blob": f"{self.address}/storage/"}}},
            VAULT: {"properties": {"vaultUri": f"{self.address}/vault/"}},
            f"{WORKSPACE}/onlineEndpoints/triage-prod": {
                "identity": {"type": "SystemAssigned", "principalId": ENDPOINT_IDENTITY},
            },
            f"{WORKSPACE}/connections": [{"name": "aoai", "properties": {"category": "AzureOpenAI"}}],
            f"{REGION}/vmSizes": [{"name": "Standard_DS3_v2", "family": "standardDSv2Family", "vCPUs": 4}],
            f"{REGION}/usages": [{"name": {"value": "standardDSv2Family"}, "currentValue": 4, "limit": 24}],
            **{f"{TOP}/providers/Microsoft.{each}": {"registrationState": "Registered"} for each in _PROVIDERS},
        }
        self.given = {
            (CALLER, "AzureML Data Scientist", WORKSPACE),
            (CALLER, "AcrPush", REGISTRY),
            (CALLER, "Storage Blob Data Contributor", STORAGE),
            (ENDPOINT_IDENTITY, "Azure Machine Learning Workspace Connection Secrets Reader", WORKSPACE),
            (ENDPOINT_IDENTITY, "AcrPull", REGISTRY),
            (ENDPOINT_IDENTITY, "Storage Blob Data Reader", STORAGE),
        }

    @property
    def environ(self) -> dict[str, str]:
        """What a process needs to find it."""
        return {
            "FLOWYARD_AZURE_MANAGEMENT": self.address,
            "FLOWYARD_AZURE_TOKEN": self.token,
            "REQUESTS_CA_BUNDLE": str(self.ca_file),
        }

    async def handle(self, request: web.Request) -> web.Response:
        path = request.path
        self.seen.append((request.method, path))
        refused = next((status for pattern, status in self.refuse.items() if re.search(pattern, path)), None)
        if refused is not None:
            return _error(refused, "AuthorizationFailed" if refused == 403 else "Refused", "It was refused.")
        if path.startswith(("/v2/", "/storage/", "/vault/")):
            if "Authorization" in request.headers:
                return web.Response(status=500)  # a login was sent where it does not belong
            return web.Response(status=401)
        if request.method != "GET":
            return _error(405, "MethodNotAllowed", "")
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return _error(401, "InvalidAuthenticationToken", "The access token is invalid.")
        if request.query.get("api-version") != _version(path):
            return _error(400, "InvalidApiVersionParameter", "")
        return self._answer(path, request.query.get("$filter", ""))

    def _answer(self, path: str, asked: str) -> web.Response:
        scope, found, kind = path.partition("/providers/Microsoft.Authorization/")
        if found and kind == "permissions":
            return web.json_response({"value": [ROLES[role] for role in self._roles(CALLER, scope)]})
        if found and kind == "roleAssignments":
            person = re.fullmatch(r"atScope\(\) and assignedTo\('([^']+)'\)", asked)
            assert person
            roles = [{"properties": {"roleDefinitionId": _definition(each)}} for each in self._roles(person[1], scope)]
            return web.json_response({"value": roles})
        if found and kind.startswith("roleDefinitions/"):
            name = next(each for each in ROLES if _definition(each) == path)
            return web.json_response({"properties": {"roleName": name, "permissions": [ROLES[name]]}})
        record = self.records.get(path)
        if record is None:
            return _error(404, "ResourceNotFound", "It was not found.")
        return web.json_response({"value": record} if isinstance(record, list) else record)

    def _roles(self, principal: str, scope: str) -> list[str]:
        return sorted(role for who, role, where in self.given if who == principal and scope.startswith(where))


def _definition(role: str) -> str:
    return f"{TOP}/providers/Microsoft.Authorization/roleDefinitions/{list(ROLES).index(role)}"


def _version(path: str) -> str:
    providers = re.findall(r"/providers/([^/]+)(?=/)", path)
    return VERSIONS.get(providers[-1], "2021-04-01") if providers else "2021-04-01"


def _error(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"error": {"code": code, "message": message}}, status=status)


@contextmanager
def running_account(folder: Path) -> Iterator[Account]:
    """On a port of its own, in a thread, until the context ends. ``folder`` has or gets its certificate."""
    account = Account(folder / "certificate.pem")
    with serving(folder, account.handle) as (account.address, _):
        account.fill()
        yield account

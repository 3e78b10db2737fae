"""The server: who may, what was asked, what goes wrong, and which part answers."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs
from uuid import uuid4

from aiohttp import web
from stand_in import Fault, running_app, server_context, start_site, write_certificate

from azure_ml.assets import SHAPES, FakeAssets
from azure_ml.blobs import FakeBlobs
from azure_ml.endpoints import FakeEndpoints
from azure_ml.faults import as_json, refused, send_half
from azure_ml.roles import PLACE, FakeRoles
from azure_ml.roles import VERSION as ROLES_VERSION

WORKSPACE = (
    "/subscriptions/00000000-1111-2222-3333-444444444444/resourceGroups/tests"
    "/providers/Microsoft.MachineLearningServices/workspaces/bench"
)
URL = "azureml://subscriptions/00000000-1111-2222-3333-444444444444/resourceGroups/tests/workspaces/bench"
KEY = base64.b64encode(b"the key of the storage account of the tests").decode()
VERSION = "2024-10-01"
TENANT = "99999999-1111-2222-3333-444444444444"
_PAGE = 3
_A_MOMENT_S = 0.02


@dataclass(frozen=True)
class Seen:
    """A request as it came; ``body`` is None for what is no JSON."""

    method: str
    path: str
    query: dict[str, str]
    body: Any


@dataclass
class FakeAzure:
    """One workspace and its storage. ``faults`` and the parts may be changed while it runs."""

    address: str
    ca_file: Path
    token: str
    faults: list[Fault] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    logins: list[dict[str, str]] = field(default_factory=list)
    versions: set[str] = field(default_factory=lambda: {VERSION})
    """The versions of the API that are answered."""
    accepts_any_assertion: bool = False
    """Whether a client assertion may be anything; certificates sign a new one for each login."""
    datastore_credentials: str = "AccountKey"
    url: str = URL
    on_request: Callable[[str, str, str], None] | None = None
    """Called with the method, the path, and ``before`` or ``after`` for each request that no fault takes."""

    def __post_init__(self) -> None:
        self.blobs = FakeBlobs("bench", KEY, lambda header: header == f"Bearer {self.token}")
        self.assets = {each: FakeAssets(each, f"{WORKSPACE}/{each}", _PAGE) for each in SHAPES}
        self.endpoints = FakeEndpoints(f"{WORKSPACE}/onlineEndpoints", self._image_of)
        self.roles = FakeRoles()

    @property
    def environ(self) -> dict[str, str]:
        """What a process needs to find it."""
        return {
            "FLOWYARD_AZURE_MANAGEMENT": self.address,
            "FLOWYARD_AZURE_BLOBS": f"{self.address}/blobs/{{account}}",
            "FLOWYARD_AZURE_TOKEN": self.token,
            "REQUESTS_CA_BUNDLE": str(self.ca_file),
        }

    def _image_of(self, environment: str) -> str:
        """The image of an environment, by its id."""
        *_, name, _, version = environment.split("/")
        found = self.assets["environments"].versions.get(name, {}).get(version)
        return str(found["properties"].get("image")) if found else ""

    async def close(self) -> None:
        """End what else was started."""
        await self.endpoints.serving.close()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        content = await request.read()
        fault = next((each for each in self.faults if each.takes(request.method, request.path)), None)
        if fault is not None and fault.kind == "status":
            return refused(fault.status, fault.code, fault.message, fault.headers)
        if fault is not None and fault.kind == "reset":
            return _abort(request)
        if self.on_request is not None:
            self.on_request(request.method, request.path, "before")
        response = self._answer(request, content)
        if self.on_request is not None:
            self.on_request(request.method, request.path, "after")
        if "/operations/" in request.path and self.endpoints.serving.images:
            await asyncio.sleep(_A_MOMENT_S)  # a process that starts is not asked about without a pause
        response.headers["x-ms-request-id"] = str(uuid4())
        if fault is None:
            return response
        if fault.kind == "reset_after":
            return _abort(request)
        return await send_half(request, response, announced_whole=fault.kind == "cut")

    def _answer(self, request: web.Request, content: bytes) -> web.Response:
        if request.path.startswith("/blobs/"):
            _, _, account, container, *rest = request.path.split("/", 4)
            if account != self.blobs.account:
                return web.Response(status=404)
            return self.blobs.answer(request, container, rest[0] if rest else "", content)
        if request.path.startswith(f"/{TENANT}/"):
            return self._authority(request, content)
        try:
            body = as_json(content)
        except ValueError:
            return refused(400, "InvalidRequestContent", "The body is no JSON.")
        self.seen.append(Seen(request.method, request.path, dict(request.query), body))
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return refused(401, "InvalidAuthenticationToken", "The access token is invalid.")
        role = PLACE.fullmatch(request.path)
        if role is not None and request.query.get("api-version") == ROLES_VERSION:
            return self.roles.answer(request.method, role["scope"], role["name"], request.query, body)
        if request.query.get("api-version") not in self.versions:
            return refused(400, "InvalidApiVersionParameter", "The api-version is missing or unknown.")
        return self._resource(request, body)

    def _authority(self, request: web.Request, content: bytes) -> web.Response:
        """Logins of one application, by its secret or by a token of another issuer."""
        base = f"{self.address}/{TENANT}"
        if request.method == "GET":
            urls = {f"{each}_endpoint": f"{base}/oauth2/v2.0/{each}" for each in ("token", "authorization")}
            return web.json_response({"issuer": f"{base}/v2.0", **urls})
        form = {name: values[0] for name, values in parse_qs(content.decode()).items()}
        self.logins.append(form)
        proof = form.get("client_secret") or form.get("client_assertion")
        is_right = proof == "the-proof" or (self.accepts_any_assertion and "client_assertion" in form)
        if form.get("client_id") != "the-application" or not is_right:
            reason = {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided."}
            return web.json_response(reason, status=401)
        return web.json_response({"token_type": "Bearer", "expires_in": 3599, "access_token": self.token})

    def _resource(self, request: web.Request, body: Any) -> web.Response:
        parts = request.path.removeprefix(WORKSPACE).strip("/").split("/")
        if parts[0] == "operations":
            return self.endpoints.operation(parts[2], as_location=parts[1] == "results")
        if not request.path.lower().startswith(WORKSPACE.lower()):
            return refused(404, "ResourceNotFound", "The resource was not found.")
        if parts[0] in self.assets:
            return self._asset(request, self.assets[parts[0]], parts[1:], body)
        if parts[0] == "datastores":
            return self._datastore(request.method, parts[1:])
        if parts[0] == "onlineEndpoints" and len(parts) > 1:
            if_match = request.headers.get("If-Match")
            return self.endpoints.answer(request.method, "/".join(parts[1:]), self.address, body, if_match)
        if parts == [""] and request.method == "GET":
            near = WORKSPACE.partition("/providers/")[0]
            fields = {
                "workspaceId": "bench",
                "provisioningState": "Succeeded",
                "containerRegistry": f"{near}/providers/Microsoft.ContainerRegistry/registries/images",
                "storageAccount": f"{near}/providers/Microsoft.Storage/storageAccounts/bench",
            }
            return web.json_response({"id": WORKSPACE, "name": "bench", "location": "westeurope", "properties": fields})
        return refused(404, "ResourceNotFound", "The resource was not found.")

    def _asset(self, request: web.Request, assets: FakeAssets, parts: list[str], body: Any) -> web.Response:
        match (request.method, parts):
            case ("GET", []):
                return assets.containers(self.address, request.query)
            case ("GET", [name]):
                return assets.container(name)
            case ("GET", [name, "versions"]):
                return assets.list(name, self.address, request.query)
            case ("GET", [name, "versions", version]):
                return assets.get(name, version)
            case ("PUT", [name, "versions", version]):
                return assets.put(name, version, body)
        return refused(405, "MethodNotAllowed", "")

    def _datastore(self, method: str, parts: list[str]) -> web.Response:
        record = {
            "id": f"{WORKSPACE}/datastores/workspaceblobstore",
            "name": "workspaceblobstore",
            "properties": {
                "datastoreType": "AzureBlob",
                "accountName": "bench",
                "containerName": "azureml-blobstore",
                "endpoint": "core.windows.net",
                "protocol": "https",
                "isDefault": True,
                "credentials": {"credentialsType": self.datastore_credentials},
            },
        }
        match (method, parts):
            case ("GET", []):
                return web.json_response({"value": [record]})
            case ("GET", ["workspaceblobstore"]):
                return web.json_response(record)
            case ("POST", ["workspaceblobstore", "listSecrets"]) if self.datastore_credentials == "AccountKey":
                return web.json_response({"secretsType": "AccountKey", "key": KEY})
        return refused(404, "ResourceNotFound", "The datastore was not found.")


def _abort(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


Fake = TypeVar("Fake", bound=FakeAzure)


@contextmanager
def running_azure(folder: Path, kind: type[Fake] = FakeAzure) -> Iterator[Fake]:  # type: ignore[assignment]
    """A server on a port of its own, in a thread, until the context ends. ``folder`` is for its certificate."""
    certificate, key = write_certificate(folder)
    azure = kind("", certificate, f"token-{uuid4().hex}")

    async def start() -> Callable[[], Awaitable[None]]:
        runner, azure.address = await start_site(azure.handle, server_context(certificate, key))
        door, azure.endpoints.serving.address = await start_site(azure.endpoints.serving.answer)

        async def end() -> None:
            await door.cleanup()
            await azure.close()
            await runner.cleanup()

        return end

    with running_app(start):
        yield azure

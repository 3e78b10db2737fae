"""Who gives tokens to jobs and machines: GitHub, Azure DevOps, App Service and the metadata service, on one server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import time

from aiohttp import web
from stand_in import serving

PROOF = "the-proof"
JOB_TOKEN = "the-token-of-the-job"


@dataclass
class Issuer:
    """``address`` is over TLS for CI systems, ``plain_address`` is for what machines ask. ``fail`` are statuses."""

    ca_file: Path
    machine_token: str = "the-token-of-the-machine"
    address: str = ""
    plain_address: str = ""
    seen: list[tuple[str, str, dict[str, str], dict[str, str]]] = field(default_factory=list)
    fail: list[int] = field(default_factory=list)
    location: str = ""

    @property
    def github(self) -> dict[str, str]:
        return {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.address}/github/token?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": JOB_TOKEN,
        }

    @property
    def devops(self) -> dict[str, str]:
        return {"SYSTEM_OIDCREQUESTURI": f"{self.address}/devops/oidctoken", "SYSTEM_ACCESSTOKEN": JOB_TOKEN}

    async def handle(self, request: web.Request) -> web.Response:
        self.seen.append((request.method, request.path, dict(request.query), dict(request.headers)))
        if self.fail:
            status = self.fail.pop(0)
            return web.Response(status=status, headers={"Location": self.location} if self.location else {})
        authorized = request.headers.get("Authorization") == f"Bearer {JOB_TOKEN}"
        match request.method, request.path:
            case "GET", "/github/token" if authorized:
                right = request.query == {"api-version": "2.0", "audience": "api://AzureADTokenExchange"}
                return web.json_response({"value": PROOF} if right else {})
            case "POST", "/devops/oidctoken" if authorized:
                right = request.query == {"api-version": "7.1", "serviceConnectionId": "the-connection"}
                return web.json_response({"oidcToken": PROOF} if right else {})
            case "GET", "/msi/token" if request.headers.get("X-IDENTITY-HEADER") == "the-header":
                return self._machine()
            case "GET", "/metadata/identity/oauth2/token" if request.headers.get("Metadata") == "true":
                return self._machine()
        return web.Response(status=401)

    def _machine(self) -> web.Response:
        end = str(int(time()) + 3600)
        return web.json_response(
            {
                "access_token": self.machine_token,
                "expires_on": end,
                "expires_in": "3600",
                "resource": "r",
                "token_type": "Bearer",
            }
        )


@contextmanager
def running_issuer(folder: Path) -> Iterator[Issuer]:
    """On two ports of its own, in a thread, until the context ends. ``folder`` has or gets its certificate."""
    issuer = Issuer(folder / "certificate.pem")
    with serving(folder, issuer.handle) as (issuer.address, issuer.plain_address):
        yield issuer

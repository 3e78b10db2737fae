"""An Azure Key Vault of the tests: its secrets, who may read, and faults, on this machine."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "eyJ0eXAiOiJKV1Qi.test-token.c2lnbmF0dXJl"


class FakeVault:
    """``faults`` are answers given before the true one: (status, headers, body); every request's path is kept."""

    def __init__(self, secrets: dict[str, str]) -> None:
        self.secrets = secrets
        self.disabled: set[str] = set()
        self.denied = False
        self.faults: list[tuple[int, dict[str, str], str]] = []
        self.asked: list[str] = []
        self.address = ""

    def answer(self, path: str, token: str) -> tuple[int, dict[str, str], str]:
        """As the documented API answers ``GET /secrets/{name}?api-version=7.4``."""
        self.asked.append(path)
        parts = urlsplit(path)
        if self.faults:
            return self.faults.pop(0)
        if token != f"Bearer {TOKEN}":
            challenge = {"WWW-Authenticate": 'Bearer authorization="https://login.example", resource="https://vault"'}
            return 401, challenge, _error("Unauthorized", f"AKV10000: the token {token} was refused")
        if parse_qs(parts.query).get("api-version") != ["7.4"]:
            return 400, {}, _error("BadParameter", "api-version")
        name = parts.path.removeprefix("/secrets/").strip("/")
        if self.denied:
            return 403, {}, _error("Forbidden", "Caller is not authorized", "ForbiddenByRbac")
        if name in self.disabled:
            return 403, {}, _error("Forbidden", "Operation get is not allowed on a disabled secret.", "SecretDisabled")
        if name not in self.secrets:
            return 404, {}, _error("SecretNotFound", f"A secret with (name/id) {name} was not found in this key vault.")
        body = {"value": self.secrets[name], "id": f"{self.address}/secrets/{name}/1", "attributes": {"enabled": True}}
        return 200, {}, json.dumps(body)


def _error(code: str, message: str, inner: str | None = None) -> str:
    error: dict[str, Any] = {"code": code, "message": message}
    return json.dumps({"error": error | ({"innererror": {"code": inner}} if inner else {})})


@contextmanager
def running(vault: FakeVault) -> Iterator[FakeVault]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = vault.answer(self.path, self.headers.get("Authorization", ""))
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body.encode())), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        vault.address = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield vault
        finally:
            server.shutdown()
            thread.join()

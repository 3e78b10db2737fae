"""A local address that hands requests on to one Service through the cluster's API, as ``kubectl proxy`` would."""

from __future__ import annotations

import hmac
import re
import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from flowyard.deploy.model import Address
from flowyard.deploy.targets.kubernetes.client import KubernetesClient
from flowyard.errors import OutsideError

__all__ = ["relay"]

_TOKEN = "x-flowyard-relay"  # noqa: S105 - the header's name
_UPWARDS = re.compile(r"^[^/]|\\|(^|/|%2f)(\.|%2e){1,2}(/|%2f|$|\?)", re.IGNORECASE)
_PIECE = 64 << 10
_LARGEST = 64 << 20
_NOT_HANDED_ON = frozenset(
    {
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "upgrade"),
        *("transfer-encoding", "content-length", "host", "authorization", _TOKEN),
    }
)


@contextmanager
def relay(client: KubernetesClient, service: str, headers: Mapping[str, str]) -> Iterator[Address]:
    """Where the Service answers as long as the context lasts: a port of 127.0.0.1 that asks for a token of its own.

    The cluster's login is added here, so nobody else needs it; ``headers`` are what the Service itself asks for.
    """
    token = secrets.token_urlsafe(24)
    server = _Server(client, service, token)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="relay to the cluster")
    thread.start()
    try:
        yield Address(f"http://127.0.0.1:{server.server_address[1]}", {**headers, _TOKEN: token})
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, client: KubernetesClient, service: str, token: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.client = client
        self.url = client.proxy_url(service)
        self.token = token.encode()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is its own affair."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 600

    def do_GET(self) -> None:
        self._relay()

    def do_POST(self) -> None:
        self._relay()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: what is relayed is nobody's."""

    def _relay(self) -> None:
        import urllib3  # noqa: PLC0415 - comes with the official client

        length = self.headers.get("Content-Length", "0")
        if not hmac.compare_digest((self.headers.get(_TOKEN) or "").encode(), self.server.token):
            return self._refuse(403, "This is not your relay.")
        if _UPWARDS.search(self.path):
            return self._refuse(400, "The relay goes to one Service only.")
        if "Transfer-Encoding" in self.headers or not length.isdigit() or int(length) > _LARGEST:
            return self._refuse(411, "The relay takes bodies with a length only.")
        body = self.rfile.read(int(length))
        login, url = self.server.client.login, f"{self.server.url}{self.path}"
        try:
            sent = {name: value for name, value in self.headers.items() if name.lower() not in _NOT_HANDED_ON}
            answer = login.pool.request(
                self.command,
                url,
                body=body if self.command == "POST" else None,
                headers={**sent, **login.headers()},
                redirect=False,
                retries=False,
                preload_content=False,
                decode_content=False,
                timeout=urllib3.Timeout(connect=20, read=600),
            )
        except (urllib3.exceptions.HTTPError, OSError, OutsideError) as error:
            return self._refuse(502, f"The cluster does not answer ({type(error).__name__}).")
        self._hand_back(answer)

    def _hand_back(self, answer: Any) -> None:
        """Piece by piece, so that streams stay streams; a stream that is cut off there is cut off here."""
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in (*_NOT_HANDED_ON, "date", "server"):
                self.send_header(name, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            while piece := answer.read1(_PIECE):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")
        except Exception:  # whichever side went away
            self.close_connection = True
            answer.close()
        else:
            answer.release_conn()

    def _refuse(self, status: int, message: str) -> None:
        text = message.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(text)
        self.close_connection = True

"""The relay to a cluster hands streams on piece by piece, and their end, orderly or not."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

pytest.importorskip("urllib3")

import urllib3

from flowyard.deploy.model import Address
from flowyard.deploy.targets.kubernetes.client import KubernetesClient, Patience
from flowyard.deploy.targets.kubernetes.relay import relay


class Login:
    """A way into a cluster without TLS."""

    def __init__(self, server: str) -> None:
        self.server = server
        self.pool = urllib3.PoolManager()

    def headers(self) -> dict[str, str]:
        return {"authorization": "Bearer of-the-cluster"}


class Streams(BaseHTTPRequestHandler):
    """Sends a piece, waits until it has come through, and sends another or goes away."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Any

    def do_POST(self) -> None:
        self.server.seen = (self.path, dict(self.headers), self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"7\r\ndata: 1\r\n")
        assert self.server.came_through.wait(60)
        if self.path.endswith("/cut"):
            self.close_connection = True
            return
        self.wfile.write(b"7\r\ndata: 2\r\n0\r\n\r\n")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def pod() -> Iterator[Any]:
    made: Any = ThreadingHTTPServer(("127.0.0.1", 0), Streams)
    made.came_through = threading.Event()
    thread = threading.Thread(target=made.serve_forever, args=(0.05,))
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def through(pod: Any) -> Iterator[Address]:
    login: Any = Login(f"http://127.0.0.1:{pod.server_address[1]}")
    with relay(KubernetesClient(login, "flows", Patience()), "shop", {"api-key": "of-the-flow"}) as address:
        yield address
    login.pool.clear()


def begun(address: Address, path: str) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    connection = http.client.HTTPConnection(address.url.removeprefix("http://"), timeout=60)
    sent = {**address.headers, "Authorization": "Bearer mine", "Accept": "text/event-stream"}
    connection.request("POST", path, b'{"x": 1}', sent)
    return connection, connection.getresponse()


def test_a_stream_comes_piece_by_piece(pod: Any, through: Address):
    connection, answer = begun(through, "/score?a=b")
    assert answer.headers["Content-Type"] == "text/event-stream"
    assert answer.read1() == b"data: 1"
    pod.came_through.set()
    assert answer.read() == b"data: 2"
    path, headers, body = pod.seen
    assert path == "/api/v1/namespaces/flows/services/shop:http/proxy/score?a=b"
    assert body == b'{"x": 1}'
    given = {name.lower(): value for name, value in headers.items()}
    assert given["authorization"] == "Bearer of-the-cluster"  # which the API's server takes off again
    assert given["api-key"] == "of-the-flow"
    assert "x-flowyard-relay" not in given
    connection.close()


def test_a_stream_that_is_cut_off_there_is_cut_off_here(pod: Any, through: Address):
    connection, answer = begun(through, "/cut")
    assert answer.read1() == b"data: 1"
    pod.came_through.set()
    with pytest.raises(http.client.IncompleteRead):
        answer.read()
    connection.close()

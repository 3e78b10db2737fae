"""Addresses that lead to a cloud's metadata or into this network: endpoint tests and connections do not go there."""

from __future__ import annotations

import asyncio
import http.server
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
import pytest
from functional_helper import Project

from flowyard._util.no_metadata import NoMetadataConnector
from flowyard.deploy.endpoint_test.client import EndpointClient, Unreached
from flowyard.deploy.model import Address
from flowyard.errors import UserError

METADATA = (
    *("169.254.169.254", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518", "169.254.169.254."),
    *("[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "[64:ff9b::a9fe:a9fe]", "[fd00:ec2::254]", "[fe80::1]"),
    "168.63.129.16",
)
INSIDE = ("10.0.0.1", "192.168.1.1", "172.16.0.1", "100.64.0.1", "[fc00::1]", "[::]", "0.0.0.0", "[::ffff:10.0.0.1]")


class Redirecting(http.server.BaseHTTPRequestHandler):
    """Sends everybody to ``/elsewhere``, and notes who came with a key."""

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers["Authorization"]))  # type: ignore[attr-defined]
        self.send_response(302)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def redirecting() -> Iterator[http.server.ThreadingHTTPServer]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Redirecting)
    server.asked = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def asked(url: str, *allowed: str) -> None:
    async def main() -> None:
        async with EndpointClient(Address(url, {"Authorization": "Bearer k"}, frozenset(allowed)), 0.05) as client:
            await client.get("/health")

    asyncio.run(main())


@pytest.mark.parametrize("host", [*METADATA, *INSIDE])
def test_an_endpoint_test_goes_to_public_addresses_only(host: str):
    with pytest.raises(UserError):
        asked(f"http://{host}:9")


def test_a_name_that_leads_inside_is_refused_and_a_listed_one_is_not(monkeypatch: pytest.MonkeyPatch):
    """The name is looked up once: a second answer, as an attacker's server would give it, is never asked for."""
    looked_up: list[str] = []

    def found(host: str, *more: object, **named: object) -> list[tuple[object, ...]]:
        looked_up.append(host)
        address = "127.0.0.1" if host == "rebinding.example" else "169.254.169.254"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 9))]

    monkeypatch.setattr(socket, "getaddrinfo", found)
    for name in ("metadata.example", "rebinding.example", "127.0.0.1.example"):
        with pytest.raises(UserError, match="not on the public internet"):
            asked(f"http://{name}:9")
    with redirecting() as server:
        port = server.server_address[1]

        async def thrice() -> None:
            address = Address(f"http://rebinding.example:{port}", {}, frozenset({f"rebinding.example:{port}"}))
            async with EndpointClient(address, 60) as client:
                for _ in range(3):
                    assert (await client.get("/health")).status == 302

        looked_up.clear()
        asyncio.run(thrice())
        assert looked_up == ["rebinding.example"]


def test_from_the_command_line_this_machine_may_be_named_and_no_redirect_is_followed(project: Project):
    said = project.run("endpoint", "test", "--url", "http://169.254.169.254/latest", code=2).stderr
    assert "not on the public internet" in said
    with redirecting() as server:
        url = f"http://localhost:{server.server_address[1]}"
        words = ("endpoint", "test", "--url", url, "--ready-s", "0.2", "--json")
        done = project.run(*words, env={"FLOWYARD_SERVE_KEY": "k"}, code=None)
        assert done.returncode == 1, done.stderr
        assert "redirects" in json.dumps(json.loads(done.stdout))
        assert {path for path, _ in server.asked} == {"/health"}  # type: ignore[attr-defined]


@pytest.mark.parametrize("host", METADATA)
def test_no_connection_leads_to_a_clouds_metadata(host: str):
    async def main() -> None:
        async with aiohttp.ClientSession(connector=NoMetadataConnector()) as session:
            await session.get(f"http://{host}:9", timeout=aiohttp.ClientTimeout(total=5))

    with pytest.raises(UserError):
        asyncio.run(main())


def test_a_model_may_be_on_this_machine():
    with redirecting() as server:

        async def main() -> int:
            async with aiohttp.ClientSession(connector=NoMetadataConnector()) as session:
                url = f"http://localhost:{server.server_address[1]}"
                async with session.get(url, allow_redirects=False) as answer:
                    return answer.status

        assert asyncio.run(main()) == 302


def test_who_cannot_be_found_is_unreached():
    with pytest.raises(Unreached):
        asked("http://nobody.invalid")

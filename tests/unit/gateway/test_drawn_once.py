"""A request without a unit has one draw, whichever way it goes."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

from two_ways import OK, RawBackend

from flowyard.gateway.gateway import Gateway
from flowyard.gateway.settings import Backend, GatewaySettings, Limits
from flowyard.wire import Place

REQUESTS = 400
CLOSING = OK.replace(b"\r\nContent-Type", b"\r\nConnection: close\r\nContent-Type", 1)


def test_an_arm_without_kept_connections_gets_its_share(tmp_path: Path):
    """Such requests leave the short way. Drawn anew there, most of them would go to the other arm."""

    async def use() -> Counter[bytes]:
        raws, servers, backends = {"a": RawBackend(), "b": RawBackend()}, [], {}
        raws["b"].pieces = [CLOSING, b""]
        for name, raw in raws.items():
            servers.append(await asyncio.start_server(raw, "127.0.0.1", 0))
            host, port = servers[-1].sockets[0].getsockname()[:2]
            backends[name] = Backend(name, f"http://{host}:{port}", Place(host, port), "", 50.0, f"{name}:1")
        settings = GatewaySettings("t", "t", "127.0.0.1", 0, backends, salt="known", limits=Limits(grace_s=1))
        gateway = Gateway(settings, tmp_path)
        reader, writer = await asyncio.open_connection(*(await gateway.listen("127.0.0.1", 0)))
        arms: Counter[bytes] = Counter()
        for _ in range(REQUESTS):
            writer.write(b"GET /score HTTP/1.1\r\nhost: a\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\nok")
            arms[head.partition(b"x-flowyard-arm: ")[2][:1]] += 1
        writer.close()
        await writer.wait_closed()
        for server in servers:
            server.close()
        await gateway.close()
        for raw in raws.values():
            await raw.end()
        for server in servers:
            await server.wait_closed()
        return arms

    arms = asyncio.run(use())
    assert arms.total() == REQUESTS
    assert abs(arms[b"b"] - REQUESTS / 2) < 5 * (REQUESTS / 4) ** 0.5

"""Requests over kept connections: ``python http_load.py URL CONNECTIONS SECONDS BODY``.

Each connection asks again as soon as it has its answer; the first half second is not counted, because then connections
are made. Prints one JSON object: answers in a second, answers that are not 200, and percentiles in seconds. Needs no
package.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from urllib.parse import urlsplit

_WARM_S = 0.5


class Asking(asyncio.Protocol):
    """One connection; ``times`` gets ``(when it was answered, how long that took)``."""

    def __init__(self, request: bytes, until: float, times: list[tuple[float, float]], failed: list[bytes]) -> None:
        self._request = request
        self._until = until
        self._times = times
        self._failed = failed
        self._data = b""
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._ask()

    def _ask(self) -> None:
        self._started = time.perf_counter()
        self._is_answered = False
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, found, rest = self._data.partition(b"\r\n\r\n")
        if not found:
            return
        _, _, after = head.lower().partition(b"content-length:")
        if len(rest) < int(after.split(b"\r\n", 1)[0]):
            return
        now = time.perf_counter()
        self._times.append((now, now - self._started))
        if b" 200 " not in head[:20]:
            self._failed.append(self._data[:300])
        self._data = b""
        self._is_answered = True
        if now < self._until and b"\r\nconnection: close" not in head.lower():
            self._ask()
        else:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._is_answered and time.perf_counter() < self._until:
            self._failed.append(repr(error).encode())
        self.ended.set_result(None)


async def load(url: str, connections: int, seconds: float, body: bytes) -> dict[str, object]:
    parts = urlsplit(url)
    head = f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept: application/json\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    request = head.encode() + body
    times: list[tuple[float, float]] = []
    failed: list[bytes] = []
    counted_from = time.perf_counter() + _WARM_S
    until = counted_from + seconds
    loop = asyncio.get_running_loop()

    async def ask() -> None:
        while time.perf_counter() < until:  # a server that closes the connection after each answer gets a new one
            made = loop.create_connection(lambda: Asking(request, until, times, failed), parts.hostname, parts.port)
            _, protocol = await made
            await protocol.ended

    await asyncio.gather(*(ask() for _ in range(connections)))
    counted = sorted(took for at, took in times if counted_from <= at <= until)
    if not counted:
        sys.exit(f"Nothing was answered: {failed[:1]}")
    return {
        "per_s": len(counted) / seconds,
        "failed": len(failed),
        "first_failure": failed[0].decode("utf-8", "replace") if failed else "",
        "p50_s": counted[len(counted) // 2],
        "p99_s": counted[int(len(counted) * 0.99)],
    }


if __name__ == "__main__":
    found = asyncio.run(load(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4].encode()))
    sys.stdout.write(json.dumps(found) + "\n")

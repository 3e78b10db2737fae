"""Somebody who asks a URL over kept connections until standard input ends: ``load_process.py URL CONNECTIONS BODY``.

Without ``--rate`` each connection asks again as soon as it is answered, or ``--pause`` seconds later; with it, so many
requests begin in each second whatever becomes of them, each on a connection that is free or, where none is, on a new
one. Prints one JSON line for each request: when it began (on the monotonic clock), the seconds until its answer, the
status (0 for a failure), whether it had Retry-After, and what failed. Needs no package.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections import deque
from urllib.parse import urlsplit

_TICK_S = 0.005
_CATCH_UP_S = 0.25
"""When this process could not run for a while, what was due before is left out: it would come as one wave."""


class Caller:
    """What the connections share. ``rows`` holds what is printed in the end."""

    def __init__(self, options: argparse.Namespace) -> None:
        parts = urlsplit(options.url)
        self.host, self.port = parts.hostname, parts.port
        self.most, self.pause_s, self.rate = options.connections, options.pause, options.rate
        body = options.body.encode()
        head = f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept: application/json\r\n"
        head += "".join(f"{each}\r\n" for each in options.header)
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self.request = head.encode() + body
        self.rows: list[tuple[float, float, int, bool, str]] = []
        self.free: deque[Asking] = deque()
        self.open = 0
        self.skipped = 0
        self.stopping = False

    def note(self, began: float, status: int, again: bool, failure: str = "") -> None:
        self.rows.append((round(began, 4), round(time.monotonic() - began, 5), status, again, failure))

    async def connect(self) -> Asking | None:
        """A new connection, counted already; a failure to make one is a failed request."""
        began = time.monotonic()
        try:
            made = asyncio.get_running_loop().create_connection(lambda: Asking(self), self.host, self.port)
            return (await made)[1]
        except OSError as error:
            self.open -= 1
            self.note(began, 0, again=False, failure=f"connect: {error}")
            return None

    async def keep_asking(self) -> None:
        """One connection, made anew whenever the server closes it."""
        while not self.stopping:
            self.open += 1
            asking = await self.connect()
            if asking is None:
                await asyncio.sleep(0.05)
                continue
            while not (self.stopping or asking.is_closed):
                await asking.ask()
                if self.pause_s:
                    await asyncio.sleep(self.pause_s)
            asking.close()

    async def keep_beginning(self) -> None:
        """``rate`` requests in each second."""
        due, last = 0.0, time.monotonic()
        going: set[asyncio.Task[None]] = set()
        while not self.stopping:
            await asyncio.sleep(_TICK_S)
            now = time.monotonic()
            due, last = min(due + (now - last) * self.rate, self.rate * _CATCH_UP_S), now
            while due >= 1:
                due -= 1
                if self.free or self.open < self.most:
                    asking = self.free.popleft() if self.free else None
                    self.open += asking is None
                    task = asyncio.ensure_future(self._once(asking))
                    going.add(task)
                    task.add_done_callback(going.discard)
                else:
                    self.skipped += 1
        await asyncio.gather(*going)

    async def _once(self, asking: Asking | None) -> None:
        asking = asking or await self.connect()
        if asking is None:
            return
        await asking.ask()
        if not asking.is_closed:
            self.free.append(asking)


class Asking(asyncio.Protocol):
    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._data = b""
        self._answered: asyncio.Future[None] | None = None
        self._began = 0.0
        self.is_closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    async def ask(self) -> None:
        """Ask, and come back when that is answered or has failed."""
        self._answered = asyncio.get_running_loop().create_future()
        self._began = time.monotonic()
        self._transport.write(self._caller.request)
        await self._answered

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, found, rest = self._data.partition(b"\r\n\r\n")
        if not found:
            return
        head = head.lower()
        _, has_length, after = head.partition(b"content-length:")
        if has_length and len(rest) < int(after.split(b"\r\n", 1)[0]):
            return
        if not has_length and not rest.endswith(b"0\r\n\r\n"):
            return
        status = int(head[9:12])
        failure = "" if status in (200, 429, 503) else self._data[:300].decode("latin-1")
        self._data = b""
        if b"\r\nconnection: close" in head:
            self.close()
        self._caller.note(self._began, status, b"\r\nretry-after:" in head, failure)
        self._end()

    def connection_lost(self, error: Exception | None) -> None:
        self.close()
        if self._answered is not None:
            self._caller.note(self._began, 0, again=False, failure=f"lost: {error!r}")
            self._end()
        elif self in self._caller.free:
            self._caller.free.remove(self)

    def close(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            self._caller.open -= 1
            self._transport.close()

    def _end(self) -> None:
        answered, self._answered = self._answered, None
        if answered is not None and not answered.done():
            answered.set_result(None)


async def load(options: argparse.Namespace) -> None:
    caller = Caller(options)
    loop = asyncio.get_running_loop()

    def stop() -> None:
        if not sys.stdin.buffer.read1(1):
            caller.stopping = True

    loop.add_reader(sys.stdin.fileno(), stop)
    if caller.rate:
        await caller.keep_beginning()
    else:
        await asyncio.gather(*(caller.keep_asking() for _ in range(caller.most)))
    loop.remove_reader(sys.stdin.fileno())
    for row in caller.rows:
        sys.stdout.write(json.dumps(row) + "\n")
    sys.stdout.write(json.dumps({"skipped": caller.skipped}) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("connections", type=int)
    parser.add_argument("body")
    parser.add_argument("--pause", type=float, default=0.0)
    parser.add_argument("--rate", type=float, default=0.0)
    parser.add_argument("--header", action="append", default=[])
    asyncio.run(load(parser.parse_args()))

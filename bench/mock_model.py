"""A model endpoint that costs next to nothing: ``python mock_model.py READY_FILE LATENCY_S [LIMIT]``.

Every POST is answered with the same chat completion after the latency; above LIMIT calls at once with 429, at once.
``GET /counts`` says how many calls were answered and refused, and how many there were at once at most. It listens on
127.0.0.1 and writes its address into READY_FILE. Needs no package.
"""

from __future__ import annotations

import asyncio
import json
import selectors
import sys
from pathlib import Path

ANSWER = "The answer is 42."


def _response(status: str, body: dict[str, object], headers: str = "") -> bytes:
    data = json.dumps(body).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n{headers}\r\n"
    return head.encode() + data


_OK = _response(
    "200 OK",
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "mock",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": ANSWER}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 20, "completion_tokens": 6, "total_tokens": 26},
    },
)
_REFUSED = _response("429 Too Many Requests", {"error": {"message": "Too many at once", "code": "rate_limit"}})


class Counts:
    def __init__(self, latency_s: float, limit: int | None) -> None:
        self.latency_s = latency_s
        self.limit = limit
        self.begun = self.answered = self.refused = self.now = self.most = 0

    def show(self) -> bytes:
        names = ("begun", "answered", "refused", "most")
        return _response("200 OK", {name: getattr(self, name) for name in names})


class Connection(asyncio.Protocol):
    """One client. Requests on it come one after the other, as HTTP/1.1 clients send them."""

    def __init__(self, counts: Counts) -> None:
        self.counts = counts
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while self._take_request():
            pass

    def _take_request(self) -> bool:
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = self.buffer[:end].lower()
        at = head.find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self.buffer) < end + 4 + length:
            return False
        self.buffer = self.buffer[end + 4 + length :]
        if head.startswith(b"get"):
            self.transport.write(self.counts.show())
        else:
            self._call()
        return True

    def _call(self) -> None:
        counts = self.counts
        counts.begun += 1
        if counts.limit is not None and counts.now >= counts.limit:
            counts.refused += 1
            self.transport.write(_REFUSED)
            return
        counts.now += 1
        counts.most = max(counts.most, counts.now)
        if counts.latency_s:
            asyncio.get_running_loop().call_later(counts.latency_s, self._answer)
        else:
            self._answer()

    def _answer(self) -> None:
        self.counts.now -= 1
        self.counts.answered += 1
        if not self.transport.is_closing():
            self.transport.write(_OK)


async def serve(ready: Path, latency_s: float, limit: int | None) -> None:
    counts = Counts(latency_s, limit)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(counts), "127.0.0.1", 0, backlog=4096)
    port = server.sockets[0].getsockname()[1]
    unfinished = ready.with_suffix(".new")
    unfinished.write_text(f"http://127.0.0.1:{port}", "utf-8")
    unfinished.replace(ready)
    await server.serve_forever()


if __name__ == "__main__":
    # select takes microseconds; epoll, asyncio's usual choice, would answer up to a millisecond late.
    runner = asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector()))
    with runner:
        runner.run(serve(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else None))

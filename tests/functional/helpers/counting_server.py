"""A model server on this machine that counts its calls; no two of its answers are the same."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["CountingServer", "counting_server"]


@dataclass
class CountingServer:
    """``asked`` has the bodies in the order they came; a body whose text holds ``refuse`` is answered with 400.

    ``reply`` says what others are answered with, when they are not just numbered.
    """

    url: str = ""
    refuse: str | None = None
    reply: Callable[[dict[str, Any]], str] | None = None
    asked: list[dict[str, Any]] = field(default_factory=list)
    answered: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def calls(self) -> int:
        return len(self.asked)

    def environment(self, *names: str) -> dict[str, str]:
        """Variables that point connections at this server."""
        variables: dict[str, str] = {}
        for name in names or ("MY_MODEL",):
            variables |= {f"{name}_BASE_URL": f"{self.url}/v1", f"{name}_API_KEY": "sk-counting-secret"}
        return variables

    def answer(self, body: dict[str, Any]) -> tuple[int, Any]:
        with self.lock:
            self.asked.append(body)
            if self.refuse is not None and self.refuse in json.dumps(body):
                return 400, {"error": {"message": "refused", "type": "invalid_request_error"}}
            self.answered += 1
            number = self.answered
        usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
        head = {"id": f"chatcmpl-{number}", "created": 0, "model": body.get("model", "")}
        text = f"answer {number}" if self.reply is None else self.reply(body)
        if body.get("stream"):
            pieces: list[Mapping[str, Any]] = [{"role": "assistant", "content": "answer "}, {"content": str(number)}]
            chunks = [{**head, "choices": [{"index": 0, "delta": piece, "finish_reason": None}]} for piece in pieces]
            chunks.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
            return 200, [*chunks, {**head, "choices": [], "usage": usage}]
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return 200, {**head, "object": "chat.completion", "choices": [choice], "usage": usage}


@contextmanager
def counting_server() -> Iterator[CountingServer]:
    """The server, while the block runs."""
    counting = CountingServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
            status, found = counting.answer(body)
            if isinstance(found, list):
                text = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in found) + "data: [DONE]\n\n"
                kind = "text/event-stream"
            else:
                text, kind = json.dumps(found), "application/json"
            data = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    counting.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield counting
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

"""A model's endpoint that turns calls down as real ones do, and keeps when it was asked."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, dict[str, str], dict[str, Any]]
Behave = Callable[[int, dict[str, Any]], Answer | None]


def refused(status: int, **headers: str) -> Answer:
    return status, {name.replace("_", "-"): value for name, value in headers.items()}, {"error": {"message": "no"}}


def answered(model: str = "gpt-4o-2024-08-06", prompt_tokens: int = 100, completion_tokens: int = 10) -> Answer:
    usage = {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens}
    message = {"role": "assistant", "content": "hi"}
    return 200, {}, {"model": model, "choices": [{"index": 0, "message": message}], "usage": usage}


@dataclass
class LimitedServer:
    """``asked`` has the monotonic and the wall time of each call; ``behave`` gets its number, from 1, and its body."""

    behave: Behave = lambda number, body: None
    url: str = ""
    asked: list[tuple[float, float]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, body: dict[str, Any]) -> Answer:
        with self.lock:
            self.asked.append((time.monotonic(), time.time()))
            return self.behave(len(self.asked), body) or answered()


@contextmanager
def limited_server(behave: Behave = lambda number, body: None) -> Iterator[LimitedServer]:
    """The server, while the block runs."""
    server = LimitedServer(behave)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, headers, answer = server.answer(body)
            text = json.dumps(answer).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    class Listener(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 256

    listener = Listener(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{listener.server_address[1]}/v1"
    thread = threading.Thread(target=listener.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()

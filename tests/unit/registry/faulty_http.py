"""An HTTP server that answers what a test tells it, one answer after another, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["Answer", "FaultyServer", "faulty_server", "refusal"]


@dataclass(frozen=True)
class Answer:
    """One answer. ``cut`` announces more bytes than it sends; ``silent`` closes the connection without an answer."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    silent: bool = False


@dataclass
class FaultyServer:
    """``answers`` are given in turn and the last one for ever; ``choose`` goes over them when it gives one."""

    url: str
    answers: list[Answer] = field(default_factory=list)
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    choose: Callable[[str, str], Answer | None] = lambda _, __: None

    def next(self, method: str, path: str) -> Answer:
        chosen = self.choose(method, path)
        if chosen is not None:
            return chosen
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def refusal(status: int, code: str, message: str = "no") -> Answer:
    """An error as MLflow says it."""
    return Answer(status, json.dumps({"error_code": code, "message": message}).encode())


@contextmanager
def faulty_server() -> Iterator[FaultyServer]:
    """Run it on loopback."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            with lock:
                server.asked.append((self.command, self.path, dict(self.headers), body))
                answer = server.next(self.command, self.path)
            self.close_connection = True
            if answer.silent:
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body) + (10 if answer.cut else 0)))
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815 - the names that http.server calls

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        server = FaultyServer(f"http://127.0.0.1:{listening.server_port}")
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            listening.shutdown()
            thread.join()

"""A server on this machine that answers as the services of prompt flow's tools do, and keeps what it is asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

__all__ = ["Asked", "RecordingServer", "recording_server"]

MESSAGE = {"role": "assistant", "content": "It says hello."}
SEVERITIES = [
    {"category": name, "severity": severity}
    for name, severity in (("Hate", 0), ("SelfHarm", 2), ("Sexual", 4), ("Violence", 6))
]
ANSWERS: dict[str, Any] = {
    "/chat/completions": {"id": "1", "object": "chat.completion", "choices": [{"index": 0, "message": MESSAGE}]},
    "/completions": {"id": "1", "object": "text_completion", "choices": [{"index": 0, "text": "and so on"}]},
    "/embeddings": {"object": "list", "data": [{"index": 0, "embedding": [0.25, -1.5]}]},
    "/search": {"organic_results": [{"title": "A page", "position": 1}]},
    "/contentsafety/text:analyze": {"blocklistsMatch": [], "categoriesAnalysis": SEVERITIES},
    "/chat/score": {"output": "generated"},
    "/completion/score": [{"0": "generated"}],
}


@dataclass(frozen=True)
class Asked:
    """One request: its path without the case's own beginning, query, headers in lower case and JSON body."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass
class RecordingServer:
    """``asked`` maps the first two parts of the path, such as ``ours/chat_azure``, to the requests in order."""

    url: str = ""
    asked: dict[str, list[Asked]] = field(default_factory=dict)

    def answer(self, path: str, headers: dict[str, str], data: bytes) -> Any:
        parts = urlsplit(path)
        _, side, case, *rest = parts.path.split("/")
        place = "/" + "/".join(rest)
        body = json.loads(data) if data else None
        self.asked.setdefault(f"{side}/{case}", []).append(Asked(place, dict(parse_qsl(parts.query)), headers, body))
        return next((answer for end, answer in ANSWERS.items() if place.endswith(end)), None)


@contextmanager
def recording_server() -> Iterator[RecordingServer]:
    """The server, while the block runs."""
    recorder = RecordingServer()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            found = recorder.answer(self.path, headers, data)
            text = json.dumps(found if found is not None else {"error": "not found"}).encode()
            self.send_response(200 if found is not None else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = answer  # noqa: N815 - the base class's names

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    recorder.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield recorder
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

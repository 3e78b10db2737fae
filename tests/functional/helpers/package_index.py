"""A package index with a password on 127.0.0.1: what flowyard needs as it is installed here, and packages of a test."""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PASSWORD = "index-s3cret-canary"


class _Handler(BaseHTTPRequestHandler):
    server: _Index

    def do_GET(self) -> None:
        if self.headers.get("Authorization") != self.server.authorization:
            self._answer(401, b"who are you?")
            return
        name = self.path.strip("/").rpartition("/")[2]
        if self.path.startswith("/simple/"):
            links = [f'<a href="/files/{each}">{each}</a>' for each in self.server.files if _project(each) == name]
            self._answer(200 if links else 404, "\n".join(links).encode(), "text/html")
        elif name in self.server.files:
            self._answer(200, self.server.files[name].read_bytes())
        else:
            self._answer(404, b"")

    def _answer(self, status: int, body: bytes, kind: str = "application/octet-stream") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if status == 401:
            self.send_header("WWW-Authenticate", "Basic")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


class _Index(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = {each.name: each for each in folder.glob("*.whl")}
        self.authorization = "Basic " + base64.b64encode(f"me:{PASSWORD}".encode()).decode()


def _project(wheel: str) -> str:
    return re.sub(r"[-_.]+", "-", wheel.partition("-")[0]).lower()


@contextmanager
def package_index(folder: Path) -> Iterator[dict[str, str]]:
    """Serve the wheels in a folder; gives the variables that make pip ask nobody else."""
    with _Index(folder) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield {
                "PIP_INDEX_URL": f"http://me:{PASSWORD}@127.0.0.1:{server.server_port}/simple",
                "PIP_CONFIG_FILE": "/dev/null",
                **dict.fromkeys(("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX"), ""),
            }
        finally:
            server.shutdown()
            thread.join()

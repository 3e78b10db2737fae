"""A container registry in memory: what a push and a pull need of the OCI distribution API, on 127.0.0.1."""

from __future__ import annotations

import hashlib
import re
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

_BLOB = re.compile(r"/v2/(?P<name>.+)/blobs/(?P<digest>sha256:[0-9a-f]{64})")
_UPLOAD = re.compile(r"/v2/(?P<name>.+)/blobs/uploads/(?P<id>[^/]*)")
_MANIFEST = re.compile(r"/v2/(?P<name>.+)/manifests/(?P<reference>[^/]+)")


class ImageRegistry(ThreadingHTTPServer):
    """``blobs`` by digest, ``manifests`` by (name, tag or digest) as (content type, bytes)."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.blobs: dict[str, bytes] = {}
        self.uploads: dict[str, bytes] = {}
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: ImageRegistry
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path in ("/v2/", "/v2"):
            self._answer(200, b"{}", {"Docker-Distribution-Api-Version": "registry/2.0"})
        elif found := _MANIFEST.fullmatch(self.path):
            kind, body = self.server.manifests.get((found["name"], found["reference"]), ("", b""))
            digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
            headers = {"Content-Type": kind, "Docker-Content-Digest": digest}
            self._answer(200 if body else 404, body, headers)
        elif found := _BLOB.fullmatch(self.path):
            blob = self.server.blobs.get(found["digest"])
            self._answer(404 if blob is None else 200, blob or b"", {"Docker-Content-Digest": found["digest"]})
        else:
            self._answer(404, b"")

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        found = _UPLOAD.fullmatch(urlsplit(self.path).path)
        self._read()
        if found is None:
            self._answer(404, b"")
            return
        number = uuid.uuid4().hex
        self.server.uploads[number] = b""
        self._answer(202, b"", {"Location": f"/v2/{found['name']}/blobs/uploads/{number}", "Range": "0-0"})

    def do_PATCH(self) -> None:
        number = urlsplit(self.path).path.rpartition("/")[2]
        self.server.uploads[number] += self._read()
        last = max(len(self.server.uploads[number]) - 1, 0)
        self._answer(202, b"", {"Location": urlsplit(self.path).path, "Range": f"0-{last}"})

    def do_PUT(self) -> None:
        parts, body = urlsplit(self.path), self._read()
        if found := _MANIFEST.fullmatch(parts.path):
            digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
            for reference in (found["reference"], digest):
                self.server.manifests[found["name"], reference] = (self.headers["Content-Type"], body)
            self._answer(201, b"", {"Location": parts.path, "Docker-Content-Digest": digest})
            return
        content = self.server.uploads.pop(parts.path.rpartition("/")[2], b"") + body
        digest = parse_qs(parts.query)["digest"][0]
        if digest != f"sha256:{hashlib.sha256(content).hexdigest()}":
            self._answer(400, b'{"errors": [{"code": "DIGEST_INVALID"}]}')
            return
        self.server.blobs[digest] = content
        self._answer(201, b"", {"Location": parts.path, "Docker-Content-Digest": digest})

    def _read(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        blocks: list[bytes] = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            blocks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(blocks)

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def image_registry() -> Iterator[ImageRegistry]:
    """A registry that is running, and is gone afterwards."""
    with ImageRegistry() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()

"""Stand-ins of two documented APIs: comments on GitHub's issues, and threads of Azure DevOps' pull requests.

https://docs.github.com/rest/issues/comments, https://learn.microsoft.com/rest/api/azure/devops/git/pull-request-threads
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "token-of-the-job"
BOT = {"login": "github-actions[bot]", "type": "Bot"}


@dataclass
class CommentApis:
    """What is stored. ``refusal`` is the status that writing gets; ``owner`` the token's login, None for a job's."""

    comments: list[dict[str, Any]] = field(default_factory=list)
    threads: list[dict[str, Any]] = field(default_factory=list)
    refusal: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    owner: str | None = None
    asked: list[str] = field(default_factory=list)
    address: str = ""

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> tuple[int, Any]:
        self.asked.append(f"{method} {path}")
        if method != "GET" and self.refusal is not None:
            return self.refusal, {"message": "Resource not accessible by integration"}
        if path == "/user":
            return (200, {"login": self.owner}) if self.owner else (403, {})
        if path == "/_apis/connectionData":
            return 200, {"authenticatedUser": {"id": "service"}}
        if path.startswith("/repos/o/r/issues/"):
            return self._github(method, path, query, body)
        if path.startswith("/project%20x/_apis/git/repositories/repo-id/pullRequests/7/threads"):
            return self._azure(method, path, query, body)
        return 404, {}

    def _github(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> tuple[int, Any]:
        if len(str((body or {}).get("body", ""))) > 65_536:
            return 422, {"message": "Body is too long"}
        if path == "/repos/o/r/issues/7/comments" and method == "GET":
            size, page = int(query["per_page"][0]), int(query["page"][0])
            return 200, self.comments[(page - 1) * size : page * size]
        if path == "/repos/o/r/issues/7/comments" and method == "POST":
            made = {"id": len(self.comments) + 1, "user": BOT, "html_url": "https://example.org/c", **body}
            self.comments.append(made)
            return 201, made
        found = re.fullmatch(r"/repos/o/r/issues/comments/(\d+)", path)
        if found and method == "PATCH":
            self.comments[int(found[1]) - 1] |= body
            return 200, self.comments[int(found[1]) - 1]
        return 404, {}

    def _azure(self, method: str, path: str, query: dict[str, list[str]], body: Any) -> tuple[int, Any]:
        assert query["api-version"] == ["7.1"]
        rest = path.rpartition("/threads")[2]
        if not rest and method == "GET":
            return 200, {"value": self.threads}
        if not rest and method == "POST":
            comments = [{"id": 1, "author": {"id": "service"}, **each} for each in body["comments"]]
            self.threads.append({"id": len(self.threads) + 1, "status": body["status"], "comments": comments})
            return 200, self.threads[-1]
        found = re.fullmatch(r"/(\d+)/comments/(\d+)", rest)
        if found and method == "PATCH":
            self.threads[int(found[1]) - 1]["comments"][int(found[2]) - 1] |= body
            return 200, {}
        return 404, {}


@contextmanager
def comment_apis() -> Iterator[CommentApis]:
    """Serve both on a port of the loopback."""
    apis = CommentApis()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "null")
            known = self.headers.get("Authorization") == f"Bearer {TOKEN}"
            status, value = apis.answer(self.command, parts.path, parse_qs(parts.query), body) if known else (401, {})
            content = json.dumps(value).encode()
            self.send_response(status)
            for name, text in {**apis.headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_PATCH = do_GET  # noqa: N815 - names of the base class

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        apis.address = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield apis
        finally:
            server.shutdown()
            thread.join()

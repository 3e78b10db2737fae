"""Blob storage as far as it is used: block blobs of one account, opened by a signature or a token."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from datetime import UTC, datetime
from xml.sax.saxutils import escape

from aiohttp import web

from azure_ml.faults import refused

PAGE = 5


class FakeBlobs:
    """Containers of one storage account, and what opens them."""

    def __init__(self, account: str, key: str, is_token: Callable[[str], bool]) -> None:
        self.account = account
        self.key = key
        self.contents: dict[tuple[str, str], bytes] = {}
        self._blocks: dict[tuple[str, str], dict[str, bytes]] = {}
        self._is_token = is_token
        self.takes_tokens = True

    def answer(self, request: web.Request, container: str, name: str, content: bytes) -> web.Response:
        if not self._may(request, container):
            return refused(403, "AuthenticationFailed", "", {"x-ms-error-code": "AuthenticationFailed"})
        if "x-ms-version" not in request.headers:
            return web.Response(status=400, headers={"x-ms-error-code": "MissingRequiredHeader"})
        if request.method == "PUT":
            return self._put(request, (container, name), content)
        if request.query.get("comp") == "list":
            return self._list(container, request.query.get("prefix", ""), request.query.get("marker", ""))
        if (container, name) not in self.contents:
            return web.Response(status=404, headers={"x-ms-error-code": "BlobNotFound"})
        return web.Response(body=self.contents[container, name])

    def _put(self, request: web.Request, place: tuple[str, str], content: bytes) -> web.Response:
        part = request.query.get("comp")
        if part == "block":
            self._blocks.setdefault(place, {})[request.query["blockid"]] = content
            return web.Response(status=201)
        if part == "blocklist":
            blocks = self._blocks.pop(place, {})
            wanted = re.findall(r"<Latest>([^<]+)</Latest>", content.decode())
            if not set(wanted) <= set(blocks):
                return web.Response(status=400, headers={"x-ms-error-code": "InvalidBlockList"})
            content = b"".join(blocks[each] for each in wanted)
        elif request.headers.get("x-ms-blob-type") != "BlockBlob":
            return web.Response(status=400, headers={"x-ms-error-code": "MissingRequiredHeader"})
        if request.headers.get("If-None-Match") == "*" and place in self.contents:
            return web.Response(status=409, headers={"x-ms-error-code": "BlobAlreadyExists"})
        self.contents[place] = content
        return web.Response(status=201)

    def _list(self, container: str, prefix: str, marker: str) -> web.Response:
        names = sorted(name for where, name in self.contents if where == container and name.startswith(prefix))
        rest = [name for name in names if name >= marker]
        blobs = "".join(f"<Blob><Name>{escape(name)}</Name></Blob>" for name in rest[:PAGE])
        following = escape(rest[PAGE]) if len(rest) > PAGE else ""
        return web.Response(
            body=f'<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs>{blobs}</Blobs>'
            f"<NextMarker>{following}</NextMarker></EnumerationResults>".encode(),
            content_type="application/xml",
        )

    def _may(self, request: web.Request, container: str) -> bool:
        if "Authorization" in request.headers:
            return self.takes_tokens and self._is_token(request.headers["Authorization"])
        query = request.query
        end = query.get("se", "")
        if not end or datetime.fromisoformat(end) < datetime.now(UTC) or query.get("sr") != "c":
            return False
        needed = "w" if request.method == "PUT" else "l" if query.get("comp") == "list" else "r"
        lines = [query.get(each, "") for each in ("sp", "st", "se")]
        lines += [f"/blob/{self.account}/{container}"]
        lines += [query.get(each, "") for each in ("si", "sip", "spr", "sv", "sr", "snapshot", "ses")]
        lines += [query.get(each, "") for each in ("rscc", "rscd", "rsce", "rscl", "rsct")]
        made = hmac.new(base64.b64decode(self.key), "\n".join(lines).encode(), hashlib.sha256).digest()
        return needed in query.get("sp", "") and hmac.compare_digest(
            base64.b64encode(made).decode(), query.get("sig", "")
        )

"""The blobs of one container: written in blocks, listed, and read back."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit
from xml.sax.saxutils import escape

from flowyard.azure.credentials import TokenProvider
from flowyard.azure.errors import AzureError, Refusal, azure_error
from flowyard.azure.http import Answer, AzureHttp, Call, Sink

__all__ = ["BlobAccess", "BlobContainer"]

_VERSION = "2021-12-02"
_BLOCK = 8 << 20
_MOST_BLOCKS = 50_000
_ROLE = "Storage Blob Data Contributor"


@dataclass(frozen=True, slots=True)
class BlobAccess:
    """How a container is reached: by a signature, which is a secret and therefore not shown, or by a login's token."""

    address: str
    signature: str = ""
    tokens: TokenProvider | None = None
    scope: str = ""

    def __repr__(self) -> str:
        return f"BlobAccess({self.address!r})"


class BlobContainer:
    """Blobs by name; names have ``/``. Raises AzureNotFound, AzureConflict, AzureDenied and AzureError."""

    def __init__(self, http: AzureHttp, access: BlobAccess) -> None:
        self._http = http
        self._access = access

    async def put(self, name: str, content: bytes, *, only_new: bool = False) -> None:
        """Write a blob whole. With ``only_new``, raises AzureConflict when there is one of that name."""
        condition = {"If-None-Match": "*"} if only_new else {}
        await self._send("PUT", name, {}, content, {"x-ms-blob-type": "BlockBlob", **condition})

    async def put_file(self, name: str, path: Path, check: Callable[[int, str], None]) -> None:
        """Write a blob from a file, in blocks of 8 MiB, at most 400 GB.

        ``check`` gets the size and the SHA-256 of what was read before the blob appears; what it raises prevents that.
        Raises OSError when the file cannot be read.
        """
        whole, size = hashlib.sha256(), 0
        blocks: list[str] = []
        with path.open("rb") as file:
            piece = file.read(_BLOCK)
            while True:
                following = file.read(_BLOCK) if len(piece) == _BLOCK else b""
                whole.update(piece)
                size += len(piece)
                if not following:
                    check(size, whole.hexdigest())
                if not following and not blocks:
                    await self.put(name, piece)
                    break
                blocks.append(_block_id(len(blocks)))
                await self._send("PUT", name, {"comp": "block", "blockid": blocks[-1]}, piece, {})
                if not following:
                    await self._send("PUT", name, {"comp": "blocklist"}, _block_list(blocks), {})
                    break
                piece = following

    async def get(self, name: str) -> bytes:
        """A blob whole; for small ones."""
        return (await self._send("GET", name, {})).content

    async def get_into(self, name: str, sink: Sink) -> None:
        """A blob in pieces, from its beginning again after each fault."""
        await self._send("GET", name, {}, sink=sink)

    async def iter_names(self, prefix: str) -> AsyncIterator[str]:
        """The names that begin with ``prefix``, sorted."""
        query = {"restype": "container", "comp": "list", "prefix": prefix}
        while True:
            names, marker = _listed((await self._send("GET", "", query)).content)
            for name in names:
                yield name
            if not marker:
                return
            query["marker"] = marker

    async def _send(
        self,
        method: str,
        name: str,
        query: Mapping[str, str],
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        sink: Sink | None = None,
    ) -> Answer:
        access = self._access
        path = f"/{quote(name)}" if name else ""
        signed = "&".join(part for part in (urlencode(query, quote_via=quote), access.signature) if part)
        url = f"{access.address}{path}" + (f"?{signed}" if signed else "")
        sent = {"x-ms-version": _VERSION, **(headers or {})}
        if access.tokens is not None:
            sent["Authorization"] = f"Bearer {await access.tokens.token(access.scope)}"
        what = f"{method} blob {name or urlsplit(access.address).path}"
        answer = await self._http.send(Call(method, url, what, sent, content, as_json=False), sink)
        if answer.status < 300:
            return answer
        code = answer.headers.get("x-ms-error-code", "")
        raise azure_error(what, Refusal(answer.status, code, "", answer.request_id), _ROLE)


def _block_id(number: int) -> str:
    if number >= _MOST_BLOCKS:
        raise AzureError(f"A file is longer than {_MOST_BLOCKS * _BLOCK >> 30} GiB.", hint="Split it.")
    return base64.b64encode(f"{number:06d}".encode()).decode()


def _block_list(blocks: list[str]) -> bytes:
    latest = "".join(f"<Latest>{escape(block)}</Latest>" for block in blocks)
    return f'<?xml version="1.0" encoding="utf-8"?><BlockList>{latest}</BlockList>'.encode()


def _listed(content: bytes) -> tuple[list[str], str]:
    """The names of a page and where the next begins. The parser takes no document type, so nothing can expand."""
    from xml.etree.ElementTree import ParseError, fromstring  # noqa: PLC0415 - only where blobs are listed

    try:
        text = content.decode("utf-8-sig")  # what is in another encoding would hide its document type
        if "<!DOCTYPE" in text:
            raise ParseError("a document type")
        page = fromstring(text)  # noqa: S314 - see above
    except (ParseError, UnicodeDecodeError):
        raise AzureError("The list of blobs that Azure answered is cut off.", hint="Run the command again.") from None
    names = [each.findtext("Name") or "" for each in page.iter("Blob")]
    return names, page.findtext("NextMarker") or ""

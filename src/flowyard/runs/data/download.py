"""Data from web addresses, copied into a private temporary file.

A person named the address, so it may be in their own network. Where it redirects to is the server's choice: that may be
the same host or a public one, and never falls back from https to http. A copy is used again while the server says that
it is the newest.
"""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import tempfile
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any
from urllib import request
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from flowyard._util.addresses import is_public, parse_address
from flowyard.errors import OutsideError, UserError
from flowyard.runs.data.places import shown_source

__all__ = ["WebCopy", "download"]

_TIMEOUT_S = 60.0
_PIECE = 1024 * 1024
_HEADERS = {"User-Agent": "flowyard", "Accept": "*/*", "Accept-Encoding": "identity"}


class WebCopy:
    """A copy on disk, deleted with this object or when the process ends; ``newer`` are headers that ask for a newer."""

    def __init__(self) -> None:
        self._folder = tempfile.mkdtemp(prefix="flowyard-data-")
        self.path = Path(self._folder) / "data"
        self.newer: Mapping[str, str] = {}
        self._delete = weakref.finalize(self, _delete, self._folder, os.getpid())

    def close(self) -> None:
        """Delete the copy now; safe to call again."""
        self._delete()


_copies: dict[str, WebCopy] = {}


def download(url: str) -> WebCopy:
    """The newest content at the URL. Raises UserError when it is refused, OutsideError when the server fails."""
    shown = shown_source(url)
    known = _copies.get(url)
    try:
        with _opener(url).open(_request(url, known), timeout=_TIMEOUT_S) as answer:
            copy = _copy(answer, shown)
    except HTTPError as error:
        error.close()
        if error.code == http.HTTPStatus.NOT_MODIFIED and known:
            return known
        kind = OutsideError if error.code >= 500 or error.code == http.HTTPStatus.TOO_MANY_REQUESTS else UserError
        raise kind(f"{shown} answered with status {error.code}.") from None
    except (OSError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, URLError) else error
        raise OutsideError(f"{shown} could not be downloaded: {reason or type(error).__name__}.") from None
    _copies[url] = copy
    return copy


def _request(url: str, known: WebCopy | None) -> request.Request:
    return request.Request(url, headers={**_HEADERS, **(known.newer if known else {})})  # noqa: S310 - see _opener


def _copy(answer: Any, shown: str) -> WebCopy:
    if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UserError(f"{shown} is sent compressed although it was asked not to be.")
    copy = WebCopy()
    try:
        with copy.path.open("wb") as file:
            shutil.copyfileobj(answer, file, _PIECE)
            size = file.tell()
        wanted = answer.headers.get("Content-Length")
        if wanted is not None and int(wanted) != size:
            raise OutsideError(f"{shown} was cut off after {size} of {wanted} bytes.")
    except BaseException:
        copy.close()
        raise
    told = {"If-None-Match": answer.headers.get("ETag"), "If-Modified-Since": answer.headers.get("Last-Modified")}
    copy.newer = {name: value for name, value in told.items() if value}
    return copy


def _opener(url: str) -> request.OpenerDirector:
    """Knows http and https only: not files, not FTP."""
    opener = request.OpenerDirector()
    handlers = (request.ProxyHandler, request.HTTPHandler, request.HTTPSHandler, request.HTTPDefaultErrorHandler)
    for handler in (*handlers, request.HTTPErrorProcessor, request.UnknownHandler):
        opener.add_handler(handler())
    opener.add_handler(_Redirects(url))
    return opener


class _Redirects(request.HTTPRedirectHandler):
    """Follows to the host that was named and to public ones."""

    max_redirections = 5

    def __init__(self, url: str) -> None:
        self._named = urlsplit(url)

    def redirect_request(
        self, req: request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> request.Request | None:
        target = urlsplit(newurl)
        shown = shown_source(req.full_url)
        if target.scheme not in (self._named.scheme, "https"):
            fp.close()
            raise UserError(f"{shown} redirects to an address that is not https.")
        if target.hostname != self._named.hostname and not _all_public(target.hostname or ""):
            fp.close()
            raise UserError(
                f"{shown} redirects to the host {target.hostname!r}, which is not on the public internet.",
                hint="If that is intended, name the final address as the data.",
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _all_public(host: str) -> bool:
    try:
        found = {str(answer[4][0]) for answer in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        return False
    addresses = [parse_address(text) for text in found]
    return bool(addresses) and all(address is not None and is_public(address) for address in addresses)


def _delete(folder: str, process: int) -> None:
    if os.getpid() == process:  # a forked child does not take it from its parent
        shutil.rmtree(folder, ignore_errors=True)

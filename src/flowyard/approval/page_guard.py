"""What every request to the approval's page has to be, and what every answer says to the browser."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from urllib.parse import urlsplit

from aiohttp import web

from flowyard._util.listen import is_loopback

__all__ = ["HEADERS", "PageAddress", "give_visit", "is_own_form", "visit_of"]

HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Server": "flowyard",
}
VISIT_COOKIE = "flowyard_visit"

_VISIT = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class PageAddress:
    """Under which names the page may be asked for: its public address, or, without one, this machine's own names."""

    public_url: str | None = None

    def origin(self, request: web.Request) -> str | None:
        """The origin of the page as the browser sees it; None when it was asked for under a name that is not its own.

        A name that others make point to this machine would let their pages read ours.
        """
        hosts = request.headers.getall("Host", [])
        if len(hosts) != 1:
            return None
        host = hosts[0].lower()
        if self.public_url is not None and host in _spellings(self.public_url):
            return self.public_url
        sockname = request.transport.get_extra_info("sockname") if request.transport else None
        if not sockname or not is_loopback(str(sockname[0])):
            return None
        own = {f"{name}:{sockname[1]}" for name in ("127.0.0.1", "localhost", "[::1]")}
        return f"http://{host}" if host in own else None


def _spellings(url: str) -> set[str]:
    parts = urlsplit(url)
    default = {"http": 80, "https": 443}[parts.scheme]
    plain = parts.netloc.removesuffix(f":{default}")
    return {plain, f"{plain}:{default}"} if parts.port in (None, default) else {parts.netloc}


def is_own_form(request: web.Request, origin: str) -> bool:
    """Whether a browser says that the request comes from our own page.

    It leaves the origin out (``null``) because our pages send no referrer, so then it has to say ``same-origin``.
    """
    site = request.headers.get("Sec-Fetch-Site")
    said = request.headers.get("Origin", "null")
    if site is not None and site != "same-origin":
        return False
    return said == origin or (said == "null" and site == "same-origin")


def visit_of(request: web.Request) -> str | None:
    """What this browser was given with the page; None when it was given nothing."""
    visit = request.cookies.get(VISIT_COOKIE, "")
    return visit if _VISIT.fullmatch(visit) else None


def give_visit(response: web.Response, visit: str | None, origin: str) -> str:
    """Give the browser something that only it has; returns it. What it has already stays, for its other tabs."""
    kept = visit or secrets.token_hex(16)
    response.set_cookie(
        VISIT_COOKIE, kept, path="/answer", httponly=True, samesite="Strict", secure=origin.startswith("https:")
    )
    return kept

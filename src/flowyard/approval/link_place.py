"""Where people reach the approval's page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from flowyard._util.addresses import parse_address
from flowyard._util.secret_key import SecretKey
from flowyard.approval.links import LINK_PURPOSE, LinkSigner, Purpose
from flowyard.approval.model import ApprovalRequest
from flowyard.approval.notice import ANSWER, LOOK
from flowyard.errors import UserError
from flowyard.notify.model import Link

__all__ = ["PAGE_VARIABLE", "LinkPlace", "check_page_url", "link_place", "open_signer"]

PAGE_VARIABLE = "FLOWYARD_APPROVAL_URL"
"""Where the page can be reached; without it messages have no links."""


@dataclass(frozen=True, slots=True)
class LinkPlace:
    """Where the approval's page can be reached, and what signs links to it."""

    url: str
    signer: LinkSigner

    def link(self, request: ApprovalRequest, approver: str, purpose: Purpose) -> Link:
        """A link for one person, or for whoever says their name when ``approver`` is empty."""
        token = self.signer.sign(request, approver, purpose)
        return Link(ANSWER if purpose == "answer" else LOOK, f"{self.url.rstrip('/')}/answer/{token}")


def link_place(environ: Mapping[str, str], key: SecretKey) -> LinkPlace | None:
    """The place that the environment names; None when it names none. Raises UserError for what is no good address."""
    url = environ.get(PAGE_VARIABLE, "").strip()
    return LinkPlace(check_page_url(url, PAGE_VARIABLE), open_signer(key)) if url else None


def open_signer(key: SecretKey) -> LinkSigner:
    """What signs links, with a key that is made when there is none."""
    key.make()
    return LinkSigner(key.derived(LINK_PURPOSE))


def check_page_url(url: str, source: str) -> str:
    """The address of the page as it is used. Raises UserError: links are secrets, so it is https, or this machine."""
    try:
        parts = urlsplit(url.strip())
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or parts.username or parts.query or parts.fragment:
        raise UserError(f"{source} is no address of a page.", hint="For example: https://approvals.example.com")
    if parts.path not in ("", "/"):
        raise UserError(f"{source}: the page needs a host of its own, without a path.", hint=f"https://{host}")
    address = parse_address(host)
    if parts.scheme == "http" and host != "localhost" and not (address and address.is_loopback):
        raise UserError(f"{source}: over http others could read the links.", hint=f"https://{host}")
    return f"{parts.scheme}://{parts.netloc.lower()}"

"""Signed links with which one person answers one request once, or looks at it.

A link is all that it takes to answer, so it says for whom it is, ends with its request, and the ledger keeps which ones
were used. Nothing of it is stored: whoever has the key can check it, also after a restart and on another machine.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, get_args

from flowyard.approval.model import ApprovalRequest
from flowyard.approval.notes import parse_time

__all__ = ["LINK_PURPOSE", "LinkClaim", "LinkSigner", "Purpose"]

LINK_PURPOSE = b"flowyard approval links 1\n"
"""What the key of the links is derived for."""

Purpose = Literal["answer", "look"]

_LONGEST = 2000


@dataclass(frozen=True, slots=True)
class LinkClaim:
    """What a link says. ``approver`` is empty when whoever answers says their name; ``expires_at`` is in seconds
    since 1970."""

    request: str
    approver: str
    purpose: Purpose
    expires_at: int
    nonce: str

    @property
    def id(self) -> str:
        """What the ledger keeps of a link that was used: of no use to whoever reads it there."""
        return hashlib.sha256(self.nonce.encode()).hexdigest()[:32]

    def is_over(self, now: datetime) -> bool:
        return now.timestamp() >= self.expires_at


@dataclass(frozen=True, slots=True)
class LinkSigner:
    """Makes and checks links with a key of 32 bytes."""

    key: bytes = field(repr=False)

    def sign(self, request: ApprovalRequest, approver: str, purpose: Purpose) -> str:
        """A new token for a link, which ends when the request does."""
        expires_at = int(parse_time(request.expires_at).timestamp())
        claim = [request.id, approver, purpose, expires_at, secrets.token_hex(16)]
        payload = _encoded(json.dumps(claim, ensure_ascii=False).encode())
        return f"{payload}.{self._mac(b'link', payload)}"

    def read(self, token: str) -> LinkClaim | None:
        """What a token says; None unless it was signed with this key, whatever it is."""
        payload, dot, mac = token.partition(".")
        if not dot or len(token) > _LONGEST or not self._fits(mac, b"link", payload):
            return None
        return _claim(payload)

    def form_token(self, claim: LinkClaim, visit: str) -> str:
        """What a form of that link carries in the browser that was given ``visit``."""
        return self._mac(b"form", f"{claim.nonce} {visit}")

    def is_form_token(self, claim: LinkClaim, visit: str, given: str) -> bool:
        """Whether a form was made for this link and this browser."""
        return self._fits(given, b"form", f"{claim.nonce} {visit}")

    def _mac(self, use: bytes, text: str) -> str:
        return _encoded(hmac.digest(self.key, use + b"\n" + text.encode("utf-8", "replace"), "sha256"))

    def _fits(self, mac: str, use: bytes, text: str) -> bool:
        return hmac.compare_digest(mac.encode("utf-8", "replace"), self._mac(use, text).encode())


def _claim(payload: str) -> LinkClaim | None:
    try:
        request, approver, purpose, expires_at, nonce = json.loads(base64.urlsafe_b64decode(payload + "=="))
    except (ValueError, binascii.Error):
        return None
    return LinkClaim(request, approver, purpose, expires_at, nonce) if purpose in get_args(Purpose) else None


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

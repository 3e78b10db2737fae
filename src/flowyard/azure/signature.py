"""A shared access signature (SAS) for a blob container, made from the storage account's key. It is a secret itself."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlencode

__all__ = ["container_signature"]

_VERSION = "2021-12-02"
_CLOCKS_DIFFER = timedelta(minutes=15)


def container_signature(
    account: str,
    container: str,
    key: str,
    now: datetime,
    *,
    allowed: str = "rcwl",
    hours: float = 12.0,
    version: str = _VERSION,
) -> str:
    """The query that lets its holder read, create, write and list blobs of one container, over TLS only.

    ``key`` is in base64, ``now`` with its zone. Raises ValueError for a key that is not base64.
    """
    start, end = now.astimezone(UTC) - _CLOCKS_DIFFER, now.astimezone(UTC) + timedelta(hours=hours)
    fields = {
        "sp": allowed,
        "st": start.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "se": end.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "spr": "https",
        "sv": version,
        "sr": "c",
    }
    # The order and the empty lines are those of the documentation: no stored policy, no address range, no snapshot, no
    # encryption scope, and no headers that an answer is to have.
    lines = [
        *(fields["sp"], fields["st"], fields["se"], f"/blob/{account}/{container}", "", ""),
        *(fields["spr"], fields["sv"], fields["sr"], "", "", "", "", "", "", ""),
    ]
    signed = hmac.new(base64.b64decode(key, validate=True), "\n".join(lines).encode(), hashlib.sha256).digest()
    return urlencode({**fields, "sig": base64.b64encode(signed).decode()}, quote_via=quote, safe="")

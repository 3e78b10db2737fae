"""Whose login it is, as its token says. The token itself is not kept here."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass

from flowyard.azure.errors import plain_reason

__all__ = ["Caller", "caller_of"]

_OBJECT_ID = re.compile(r"[0-9a-fA-F-]{36}")


@dataclass(frozen=True, slots=True)
class Caller:
    """``object_id`` is what roles are given to; empty when the token does not say. ``name`` is for people."""

    object_id: str = ""
    name: str = ""
    tenant: str = ""
    is_person: bool = False

    @property
    def assignee(self) -> list[str]:
        """The words for ``az role assignment create``."""
        if not self.object_id:
            return ["--assignee", "OBJECT_ID"]
        kind = "User" if self.is_person else "ServicePrincipal"
        return ["--assignee-object-id", self.object_id, "--assignee-principal-type", kind]


def caller_of(token: str) -> Caller:
    """The caller that a token names; nobody for one that cannot be read. It is not checked: Azure does that."""
    parts = token.split(".")
    try:
        body = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (IndexError, ValueError):
        return Caller()
    given = body.items() if isinstance(body, dict) else ()
    claims = {key: plain_reason(value) for key, value in given if isinstance(value, str)}
    person = claims.get("upn") or claims.get("unique_name") or ""
    name = person or claims.get("app_displayname") or claims.get("appid", "")
    object_id = claims.get("oid", "")
    return Caller(
        object_id if _OBJECT_ID.fullmatch(object_id) else "",
        name,
        claims.get("tid", ""),
        is_person=bool(person) and claims.get("idtyp", "user") == "user",
    )

"""What is to go wrong, and how often."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["status", "reset", "reset_after", "truncated", "cut"]
"""``status``: answered with it and not carried out. ``reset``: the connection ends before anything is done, or
(``reset_after``) after. ``truncated``: done, and the JSON of the answer is half. ``cut``: fewer bytes come than were
announced."""


@dataclass
class Fault:
    """Happens to the next ``times`` requests of a method and a path (a regular expression, anywhere in it)."""

    method: str
    path: str
    kind: Kind = "status"
    status: int = 500
    times: int = 1
    headers: Mapping[str, str] = field(default_factory=dict)

    def takes(self, method: str, path: str) -> bool:
        if self.times <= 0 or method != self.method or not re.search(self.path, path):
            return False
        self.times -= 1
        return True


class Refused(Exception):
    """A request that the API does not carry out."""

    def __init__(self, status: int, reason: str, message: str, causes: list[dict[str, str]] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body: dict[str, Any] = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status}
        self.body |= {"reason": reason, "message": message, "details": {"causes": causes or []}}

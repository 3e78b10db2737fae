"""What is to go wrong, and how often."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["status", "reset", "reset_after", "truncated", "cut"]
"""``status``: answered with it and not carried out. ``reset``: the connection ends before anything is done, or
(``reset_after``) after. ``truncated``: done, and the JSON of the answer is half. ``cut``: fewer bytes come than were
announced."""


@dataclass
class Fault:
    """Happens to ``times`` requests of a method and a path (a regular expression, anywhere in it), after ``skip``.

    ``code`` and ``message`` are what a refusal of Azure says.
    """

    method: str
    path: str
    kind: Kind = "status"
    status: int = 500
    times: int = 1
    skip: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    code: str = "InternalServerError"
    message: str = "An internal error."

    def takes(self, method: str, path: str) -> bool:
        if self.times <= 0 or method != self.method or not re.search(self.path, path):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        return True

"""Names of use cases: folders, registered flows and endpoints are called after them."""

from __future__ import annotations

import keyword
import re

from flowyard.errors import UserError

__all__ = ["require_use_case_name"]

_NAME = re.compile(r"[a-z][a-z0-9]*(?:[_-][a-z0-9]+)*")
_LONGEST = 48
_RESERVED = frozenset(
    (
        *("con", "prn", "aux", "nul", *(f"com{n}" for n in range(10)), *(f"lpt{n}" for n in range(10))),  # of Windows
        *("flows", "data", "tests", "docs", "connections", "src", "build", "dist", "env", "venv", "node_modules"),
        *("experiment", "flowyard", "promptflow", "test", "all"),
    )
)
"""What means something else on some system, to a tool, or to flowyard."""


def require_use_case_name(name: str) -> str:
    """The name itself. Raises UserError for one that cannot be a folder's, an endpoint's and a module's everywhere."""
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        hint = f"Use small letters, digits, '_' and '-', a letter first, at most {_LONGEST}: order_triage"
        raise UserError(f"A use case cannot be called {name!r}.", hint=hint)
    if name in _RESERVED or keyword.iskeyword(name):
        raise UserError(f"{name!r} means something else already.", hint=f"Say what it is for: {name}_helper")
    return name

"""Who does something, for records that people read later."""

from __future__ import annotations

import getpass
from collections.abc import Mapping

from flowyard._util.printable import printable_text

__all__ = ["person_name"]

_VARIABLES = ("FLOWYARD_USER", "GITHUB_ACTOR", "BUILD_REQUESTEDFOR", "GITLAB_USER_LOGIN", "CHANGE_AUTHOR")
"""Where a person, or the pipeline that acts for one, says who that is."""


def person_name(environ: Mapping[str, str]) -> str:
    """The name of who runs this command, in one line; ``unknown`` where nobody says."""
    said = next((environ[name] for name in _VARIABLES if environ.get(name, "").strip()), None)
    return " ".join(printable_text(said or _login()).split())[:200] or "unknown"


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # no such user in this container
        return "unknown"

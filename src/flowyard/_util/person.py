"""Who does something, for records that people read later."""

from __future__ import annotations

import getpass
import subprocess
from collections.abc import Mapping

from flowyard._util.printable import printable_text

__all__ = ["person_name"]

_VARIABLES = ("FLOWYARD_USER", "GITHUB_ACTOR", "BUILD_REQUESTEDFOR", "GITLAB_USER_LOGIN", "CHANGE_AUTHOR")
"""Where a person, or the pipeline that acts for one, says who that is."""


def person_name(environ: Mapping[str, str]) -> str:
    """The name of who runs this command, in one line: what the environment says, else ``account <address>``.

    The address is the one that git knows. ``unknown`` where nobody says; whoever has the account can say otherwise.
    """
    said = next((environ[name] for name in _VARIABLES if environ.get(name, "").strip()), None)
    return " ".join(printable_text(said or _account()).split())[:200] or "unknown"


def _account() -> str:
    try:
        account = getpass.getuser()
    except (OSError, KeyError, ImportError):  # no such user in this container
        account = "unknown"
    address = _git_address()
    return f"{account} <{address}>" if address else account


def _git_address() -> str:
    try:
        done = subprocess.run(
            ["git", "config", "user.email"],  # noqa: S607 - the git of the person's own PATH
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    address = done.stdout.decode("utf-8", "replace").strip()
    is_one = "@" in address and address.isprintable() and len(address) <= 100
    return address if is_one and set("<> ").isdisjoint(address) else ""

"""Who sits at this machine, by the account and the address that git knows."""

from __future__ import annotations

import getpass
import subprocess

__all__ = ["person_here"]


def person_here() -> str:
    """``account <address>``, or the account alone. Whoever has the account can say otherwise."""
    try:
        account = getpass.getuser()
    except (OSError, KeyError):  # an account without a name, as in containers
        account = "unknown"
    address = _git_address()
    return f"{account} <{address}>" if address else account


def _git_address() -> str:
    try:
        done = subprocess.run(
            ["git", "config", "user.email"],  # noqa: S607 - the git of the person's own PATH
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""
    address = done.stdout.strip()
    return address if address.isprintable() and not set(address) & set("<>") else ""

"""Who sits at this machine, by the account and the address that git knows."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping

from flowyard._util.person import person_name

__all__ = ["person_here"]


def person_here(environ: Mapping[str, str]) -> str:
    """The person that a pipeline acts for; else ``account <address>``. Whoever has the account can say otherwise."""
    name, account = person_name(environ), person_name({})
    address = _git_address() if name == account else ""
    return f"{name} <{address}>" if address else name


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
    return address if address.isprintable() and len(address) <= 100 and not set(address) & set("<>") else ""

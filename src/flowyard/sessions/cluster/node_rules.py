"""The rules of model calls on a node: what workers share in files is shared by those of one machine."""

from __future__ import annotations

import os
import platform
import stat
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from flowyard.abc import Provider
from flowyard.errors import OutsideError, UserError
from flowyard.llm.call_rules import CallRules
from flowyard.llm.connection import Connection
from flowyard.llm.pacing.limits import RateLimit
from flowyard.llm.providers import ProviderOpener

__all__ = ["opener_on_node", "opener_shared_by", "this_machine"]

Opener = Callable[[Connection], Provider]

_BOOT = Path("/proc/sys/kernel/random/boot_id")


def this_machine() -> str:
    """A name that two machines do not share."""
    return f"{platform.node()} {_BOOT.read_text().strip() if _BOOT.exists() else ''}"


def opener_shared_by(opener: Opener, machines: int) -> Opener:
    """The opener for each of several machines: none sees what the others send, so each gets a part of the limits."""
    if not isinstance(opener, ProviderOpener) or machines < 2:
        return opener
    limits = {name: _part(limit, machines) for name, limit in opener.rules.limits.items()}
    return ProviderOpener(replace(opener.rules, limits=limits))


def _part(limit: RateLimit, machines: int) -> RateLimit:
    return RateLimit(limit.rpm and limit.rpm / machines, limit.tpm and limit.tpm / machines)


def opener_on_node(opener: Opener, driven_from: str) -> Opener:
    """The opener with files that are on this node; ``driven_from`` is the machine it comes from.

    Raises UserError for what works on that machine only, and OutsideError when a file is missing here.
    """
    if not isinstance(opener, ProviderOpener) or this_machine() == driven_from:
        return opener
    return ProviderOpener(_elsewhere(opener.rules))


def _elsewhere(rules: CallRules) -> CallRules:
    if rules.recording is not None:
        raise UserError("--record and --replay work on one machine only.", hint="Leave out --backend.")
    missing = next((file for file in rules.price_files if not file.is_file()), None)
    if missing is not None:
        raise OutsideError(f"Node {platform.node()} has no file {missing}.", hint="Put the prices on every node.")
    folder = _shared_folder()
    cache = rules.cache and replace(rules.cache, file=folder / rules.cache.file.name)
    return replace(rules, cache=cache, pace_file=rules.pace_file and folder / rules.pace_file.name)


def _shared_folder() -> Path:
    """What all workers of this user on this node share. Raises OutsideError when somebody else made it."""
    folder = Path(tempfile.gettempdir()) / f"flowyard-shared-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise OutsideError(f"Node {platform.node()}: {folder} is not a private folder of this user.")
    return folder

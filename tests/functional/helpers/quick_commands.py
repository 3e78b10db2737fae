"""Which commands can be carried out in the process of a test."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Sequence

__all__ = ["fits_here"]

_HERE = frozenset(
    {
        *("connection", "dataset", "evaluator", "price", "registry", "schema"),
        *(
            f"approval {verb}"
            for verb in ("approve", "list", "record", "reject", "request", "require", "show", "verify")
        ),
        *(f"config {verb}" for verb in ("set", "show")),
        *(f"experiment {verb}" for verb in ("gate", "list", "report", "show")),
        *(f"gateway {verb}" for verb in ("drain", "status", "weights")),
        *(f"monitor {verb}" for verb in ("check", "collect", "drift", "export", "forget", "retain", "show")),
        *(f"release {verb}" for verb in ("list", "show")),
        *(f"run {verb}" for verb in ("archive", "compare", "export", "list", "restore", "update", "visualize")),
        *(f"run show{what}" for what in ("", "-details", "-metrics")),
    }
)
"""Commands that look, or write files down: they start no process, and need none of their own."""
_OF_PROCESSES = ("PYTHON", "LANG", "LC_", "TZ", "PATH", "SSL_", "REQUESTS_", "AZURE_")
"""Variables that begin like this do something to a process when it starts, or to what it keeps of its logins."""


def fits_here(words: Sequence[str], variables: Iterable[str]) -> bool:
    """Whether it makes no difference which process carries the command out, with these variables set for it."""
    is_plain = words[0] in _HERE or " ".join(words[:2]) in _HERE
    is_alone = threading.current_thread() is threading.main_thread() and asyncio._get_running_loop() is None
    return is_plain and is_alone and not any(name.startswith(_OF_PROCESSES) for name in variables)

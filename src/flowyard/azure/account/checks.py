"""How a check is written down: what Azure's refusals mean for it, and the commands that it gives."""

from __future__ import annotations

import shlex
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from flowyard.azure.account.caller import Caller
from flowyard.azure.account.model import Finding, Needs, WorkspacePlace
from flowyard.azure.account.reader import AccountReader
from flowyard.azure.errors import AzureError, AzureNotFound

__all__ = ["Check", "Examination", "command", "guarded"]


@dataclass(slots=True)
class Examination:
    """What is looked at, and what the checks before have learnt.

    ``workspace`` is the workspace's record; ``is_silent`` says that the management API gave no answer at all.
    """

    reader: AccountReader
    place: WorkspacePlace
    caller: Caller
    needs: tuple[Needs, ...] = ()
    workspace: Any = field(default_factory=dict)
    is_silent: bool = False

    def part(self, name: str) -> str:
        """The path of a resource that the workspace uses; empty when it names none."""
        properties = self.workspace.get("properties")
        path = properties.get(name) if isinstance(properties, dict) else None
        return path if isinstance(path, str) and path.startswith("/subscriptions/") else ""


Check = Callable[[Examination], AsyncIterator[Finding]]


def command(*words: str) -> str:
    """An exact command for a shell."""
    return shlex.join(words)


async def guarded(
    what: str, check: Check, examination: Examination, missing: str | None = None
) -> AsyncIterator[Finding]:
    """The findings of a check, and what kept it from ending. ``missing`` is the fix when a resource is not there."""
    try:
        async for each in check(examination):
            yield each
    except AzureNotFound as error:
        yield Finding(what, "wrong", error.message, missing or error.hint)
    except AzureError as error:
        examination.is_silent = examination.is_silent or error.status is None
        yield Finding(what, "unknown", error.message, error.hint)

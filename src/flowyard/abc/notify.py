"""Ways to tell people something."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowyard.notify.model import Notice

__all__ = ["Notifier"]


class Notifier(ABC):
    """One way to tell people something."""

    label: str
    """How errors and listings name it, for example ``slack:SLACK_URL``; never the URL itself."""

    person: str | None
    """The one person that is reached, by the name that approvals know; None when many may read it."""

    @abstractmethod
    async def send(self, notice: Notice) -> None:
        """Deliver the notice, trying again where that may help; it was accepted when this returns.

        Raises UserError when it is refused or may not be sent there, OutsideError when nobody answers. Neither holds a
        secret.
        """

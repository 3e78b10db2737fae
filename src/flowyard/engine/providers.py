"""The open providers of one runner: one per connection, closed together."""

from __future__ import annotations

from collections.abc import Callable

from flowyard.abc import Provider
from flowyard.llm.connection import Connection

__all__ = ["Providers"]


class Providers:
    """Opens a provider when a node is prepared, so that a wrong one is found before the first line; once per name."""

    def __init__(self, open_provider: Callable[[Connection], Provider]) -> None:
        self._open_provider = open_provider
        self._open: dict[str, Provider] = {}

    def get(self, connection: Connection) -> Provider:
        """The provider behind a connection, opened once per name."""
        name = str(connection.name)
        if name not in self._open:
            self._open[name] = self._open_provider(connection)
        return self._open[name]

    async def close(self) -> None:
        """Close every provider that was opened."""
        while self._open:
            _, provider = self._open.popitem()
            await provider.close()

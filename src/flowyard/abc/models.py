"""Models that can be asked, and what knows the connections to them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from flowyard.records import ModelReply, ModelRequest

if TYPE_CHECKING:
    from flowyard.llm.connection import Connection

__all__ = ["ConnectionSource", "Provider"]


class Provider(ABC):
    """A language model endpoint behind one connection. Safe to use by many tasks of one event loop at once."""

    @abstractmethod
    async def call(self, request: ModelRequest) -> ModelReply:
        """Send one request and wait for the whole answer, retrying what is worth retrying.

        Raises ProviderError when the endpoint refuses or does not answer; its message never holds a secret.
        """

    @abstractmethod
    def stream(self, request: ModelRequest) -> AsyncIterator[Mapping[str, Any]]:
        """Send one request and yield the answer's chunks (OpenAI chunk objects, usage in the last) as they come.

        Raises ProviderError before the first chunk, or when the stream is cut off.
        """

    @abstractmethod
    async def close(self) -> None:
        """Close what is open. The provider cannot be used afterwards."""


class ConnectionSource(ABC):
    """A place that knows connections by name: the environment, an ``.env`` file, YAML files."""

    label: str
    """How errors and listings name this source, for example ``environment`` or ``.env``."""

    overrules: bool = False
    """Whether what this source finds also takes the place of connections that are declared outside of all sources."""

    @abstractmethod
    def find(self, name: str) -> Connection | None:
        """The connection of that name, or None when this source has none. Raises UserError when it is malformed."""

    @abstractmethod
    def names(self) -> Iterable[str]:
        """The names that this source knows for certain (an environment may answer to more)."""

    def declared_type(self, name: str) -> str | None:  # noqa: ARG002 - sources of files know more
        """The type that a connection is declared with, also when its values cannot be had; None when unknown."""
        return None

    def origin(self, name: str) -> str:  # noqa: ARG002 - sources of many files tell them apart
        """Where this source has the connection of that name from; the label unless it is known more closely."""
        return self.label

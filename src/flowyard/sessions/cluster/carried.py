"""Connections as they travel: what is in files of this machine is read here and goes along in memory."""

from __future__ import annotations

from collections.abc import Iterator

from flowyard.abc import ConnectionSource
from flowyard.errors import UserError
from flowyard.llm.connection import Connection
from flowyard.llm.connection_store import ConnectionStore
from flowyard.llm.connections import Connections
from flowyard.llm.sources import DeclaredSource, YamlSource

__all__ = ["carried"]


def carried(connections: Connections) -> Connections:
    """The same connections in the same order, without files. Raises UserError, StoreError when one cannot be read."""
    return Connections([_carried(source) for source in connections.sources])


def _carried(source: ConnectionSource) -> ConnectionSource:
    if isinstance(source, ConnectionStore):
        return DeclaredSource(_stored(source))
    if isinstance(source, YamlSource):
        source.names()  # reads its files, once
    return source


def _stored(source: ConnectionStore) -> Iterator[Connection]:
    for name in source.names():
        try:
            found = source.find(name)
        except UserError:  # one without a value; whoever asks for it is told that it is not set
            continue
        if found is not None:
            yield found

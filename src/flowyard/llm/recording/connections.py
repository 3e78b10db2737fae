"""Connections for a replay: nothing is behind them, so their secrets may be missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from flowyard.abc import ConnectionSource
from flowyard.errors import UserError
from flowyard.llm.connection import Connection, OpenAIConnection
from flowyard.llm.connection_parsing import CONNECTION_TYPES
from flowyard.llm.connections import Connections

__all__ = ["RecordedConnections", "ReplayConnections"]

_NO_KEY = "flowyard-replay-has-no-key"
_NOWHERE = "https://replay.invalid"
_FILLED = {"api_key": _NO_KEY, "api_base": _NOWHERE, "base_url": _NOWHERE, "endpoint": _NOWHERE, "rules": "replay"}


class RecordedConnections(ConnectionSource):
    """A stand-in for each connection that is named in a recording, of the type it had. Put it first."""

    label = "recording"
    overrules = True

    def __init__(self, types: Mapping[str, str]) -> None:
        self._types = dict(types)

    def find(self, name: str) -> Connection | None:
        return stand_in(name, self._types[name]) if name in self._types else None

    def names(self) -> list[str]:
        return list(self._types)


class ReplayConnections(Connections):
    """As ``Connections``, but one that is missing, or misses a variable, is a stand-in of the type it is declared with.

    Recorded ones come from a ``RecordedConnections`` among the sources.
    """

    def get(self, name: str, *, needed_by: str, kinds: Sequence[type[Connection]] = ()) -> Connection:
        return self._lent(name, lambda: super(ReplayConnections, self).get(name, needed_by=needed_by), kinds)

    def adopt(self, name: str, make: Callable[[], Connection]) -> Connection:
        return self._lent(name, lambda: super(ReplayConnections, self).adopt(name, make), ())

    def _lent(self, name: str, real: Callable[[], Connection], kinds: Sequence[type[Connection]]) -> Connection:
        try:
            return real()
        except UserError:
            declared = next((kind for source in self.sources if (kind := source.declared_type(name))), None)
            wanted = next((kind.TYPE for kind in kinds if kind.TYPE), None)
            return self._hand_out(stand_in(name, declared or wanted or OpenAIConnection.TYPE))


def stand_in(name: str, kind: str) -> Connection:
    """A connection of a type with every address and key filled in, none of them real."""
    found = CONNECTION_TYPES.get(kind, OpenAIConnection)
    fields = {field: value for field, value in _FILLED.items() if field in found.FIELDS}
    if found.TYPE == "custom":
        return found(secrets={"api_key": _NO_KEY}, configs={"base_url": _NOWHERE}, name=name)
    return found(**fields, name=name)  # type: ignore[arg-type]

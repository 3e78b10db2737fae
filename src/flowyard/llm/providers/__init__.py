"""Model endpoints, found by connection type and imported when first needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from flowyard._util.suggest import known_names
from flowyard.abc import Provider
from flowyard.errors import UserError
from flowyard.llm.call_rules import CallRules
from flowyard.llm.connection import Connection
from flowyard.llm.pacing import limit_of, open_pacer
from flowyard.llm.prices import Prices
from flowyard.llm.providers.paced import PacedProvider
from flowyard.llm.providers.priced import PricedProvider

__all__ = ["PROVIDERS", "ProviderOpener", "open_provider"]

_SIMULATED = "simulated"
_WIRE = "flowyard.llm.providers.openai_wire:OpenAIWireProvider"
_CACHED = "flowyard.llm.providers.cached:CachedProvider"
_RECORDING = "flowyard.llm.providers.recorded:RecordingProvider"
_REPLAY = "flowyard.llm.providers.recorded:ReplayProvider"
PROVIDERS: Mapping[str, str] = {
    "azure_open_ai": _WIRE,
    "open_ai": _WIRE,
    "serverless": _WIRE,
    "custom": _WIRE,
    _SIMULATED: "flowyard.llm.providers.simulated:SimulatedProvider",
}
"""Connection type -> ``module:class`` whose constructor takes the connection."""


@dataclass(frozen=True, slots=True)
class ProviderOpener:
    """Opens providers whose calls follow the rules of a run. Can be pickled."""

    rules: CallRules = CallRules()

    def __call__(self, connection: Connection) -> Provider:
        """The provider behind a connection; close it when done. In a replay nothing is behind it.

        Raises UserError when the connection is not to a language model or lacks a required field.
        """
        recording = self.rules.recording
        if recording is not None and recording.mode == "replay":
            provider: Provider = _class_at(_REPLAY)(connection, recording)
        else:
            provider = self._cached(_open(connection), connection)
            if recording is not None:
                provider = _class_at(_RECORDING)(provider, connection, recording)
        return provider if connection.type == _SIMULATED else PricedProvider(provider, Prices(self.rules.price_files))

    def _cached(self, provider: Provider, connection: Connection) -> Provider:
        """The provider at its pace, with kept answers; a simulated one as it is."""
        if connection.type == _SIMULATED:
            return provider
        provider, cache = self._paced(provider, connection), self.rules.cache
        if cache is None or cache.mode == "off":
            return provider
        cached: Provider = _class_at(_CACHED)(provider, connection, cache)
        return cached

    def _paced(self, provider: Provider, connection: Connection) -> Provider:
        name = connection.name or _unnamed(connection)
        limit = limit_of(self.rules.limits, connection.name)
        return PacedProvider(provider, open_pacer(name, limit, self.rules.pace_file))


open_provider = ProviderOpener()
"""Opens a provider outside of any run: no limits, and nothing that is shared."""


def _open(connection: Connection) -> Provider:
    """The provider that talks to the endpoint itself."""
    place = PROVIDERS.get(connection.type) if connection.is_model else None
    if place is None:
        raise UserError(
            f"Connection {connection.name!r} of type {connection.type!r} is not a connection to a language model.",
            hint=f"Types that are: {known_names(PROVIDERS)}.",
        )
    missing = connection.missing_fields()
    if missing:
        raise UserError(f"Connection {connection.name!r} ({connection.type}): missing {', '.join(missing)}.")
    provider: Provider = _class_at(place)(connection)
    return provider


def _class_at(place: str) -> Any:
    """The class at ``module:class``, imported now."""
    module, name = place.split(":")
    return getattr(import_module(module), name)


def _unnamed(connection: Connection) -> str:
    """What tells connections without a name apart: where they lead."""
    address = connection.get("api_base") or connection.get("base_url") or ""
    return f"{connection.type} {address}"

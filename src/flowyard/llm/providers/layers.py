"""What is between a flow and an endpoint, from outside in: prices, a recording, kept answers, the pace, the wire."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from flowyard._util.suggest import known_names
from flowyard.abc import Provider
from flowyard.errors import UserError
from flowyard.llm.call_rules import CallRules
from flowyard.llm.connection import Connection
from flowyard.llm.pacing.limits import limit_of
from flowyard.llm.pacing.pacer import open_pacer
from flowyard.llm.prices import Prices
from flowyard.llm.providers.paced import PacedProvider
from flowyard.llm.providers.priced import PricedProvider

__all__ = ["PROVIDERS", "open_layers"]

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


def open_layers(connection: Connection, rules: CallRules) -> Provider:
    """The provider behind a connection, with what the rules put around it; as ``ProviderOpener`` gives it."""
    recording = rules.recording
    if recording is not None and recording.mode == "replay":
        provider: Provider = _class_at(_REPLAY)(connection, recording)
    else:
        provider = _cached(_open(connection), connection, rules)
        if recording is not None:
            provider = _class_at(_RECORDING)(provider, connection, recording)
    return provider if connection.type == _SIMULATED else PricedProvider(provider, Prices(rules.price_files))


def _cached(provider: Provider, connection: Connection, rules: CallRules) -> Provider:
    """The provider at its pace, with kept answers; a simulated one as it is."""
    if connection.type == _SIMULATED:
        return provider
    pacer = open_pacer(
        connection.name or _unnamed(connection), limit_of(rules.limits, connection.name), rules.pace_file
    )
    provider = PacedProvider(provider, pacer)
    cache = rules.cache
    if cache is None or cache.mode == "off":
        return provider
    cached: Provider = _class_at(_CACHED)(provider, connection, cache)
    return cached


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

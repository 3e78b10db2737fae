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
from flowyard.llm.connection import Connection, SimulatedConnection

__all__ = ["PROVIDERS", "ProviderOpener", "open_provider"]

_WIRE = "flowyard.llm.providers.openai_wire:OpenAIWireProvider"
PROVIDERS: Mapping[str, str] = {
    "azure_open_ai": _WIRE,
    "open_ai": _WIRE,
    "serverless": _WIRE,
    "custom": _WIRE,
    "simulated": "flowyard.llm.providers.simulated:SimulatedProvider",
}
"""Connection type -> ``module:class`` whose constructor takes the connection."""


def open_provider(connection: Connection) -> Provider:
    """The provider behind a connection; close it when done.

    Raises UserError when the connection is not to a language model or lacks a required field.
    """
    place = PROVIDERS.get(connection.type) if connection.is_model else None
    if place is None:
        raise UserError(
            f"Connection {connection.name!r} of type {connection.type!r} is not a connection to a language model.",
            hint=f"Types that are: {known_names(PROVIDERS)}.",
        )
    missing = connection.missing_fields()
    if missing:
        raise UserError(f"Connection {connection.name!r} ({connection.type}): missing {', '.join(missing)}.")
    provider: Provider = _place(place)(connection)
    return provider


def _place(place: str) -> Any:
    """The class at ``module:class``, imported now."""
    module, name = place.split(":")
    return getattr(import_module(module), name)


@dataclass(frozen=True, slots=True)
class ProviderOpener:
    """Opens providers whose calls follow the rules of a run. Can be pickled."""

    rules: CallRules = CallRules()

    def __call__(self, connection: Connection) -> Provider:
        """As ``open_provider``, with the rules around it; in a replay nothing is behind it."""
        recording, cache = self.rules.recording, self.rules.cache
        if recording is not None and recording.mode == "replay":
            replay: Provider = _place("flowyard.llm.providers.recorded:ReplayProvider")(connection, recording)
            return replay
        provider = open_provider(connection)
        if cache is not None and cache.mode != "off" and not isinstance(connection, SimulatedConnection):
            provider = _place("flowyard.llm.providers.cached:CachedProvider")(provider, connection, cache)
        if recording is not None:
            provider = _place("flowyard.llm.providers.recorded:RecordingProvider")(provider, connection, recording)
        return provider

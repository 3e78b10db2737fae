"""Model endpoints, found by connection type and imported when first needed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module

from flowyard._util.suggest import known_names
from flowyard.abc import Provider
from flowyard.errors import UserError
from flowyard.llm.call_rules import CallRules
from flowyard.llm.connection import Connection

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
    module, name = place.split(":")
    provider: Provider = getattr(import_module(module), name)(connection)
    return provider


@dataclass(frozen=True, slots=True)
class ProviderOpener:
    """Opens providers whose calls follow the rules of a run. Can be pickled."""

    rules: CallRules = CallRules()

    def __call__(self, connection: Connection) -> Provider:
        """As ``open_provider``, with the rules around it."""
        return open_provider(connection)

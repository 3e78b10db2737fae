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
from flowyard.llm.pacing import limit_of, open_pacer
from flowyard.llm.prices import Prices
from flowyard.llm.providers.paced import PacedProvider
from flowyard.llm.providers.priced import PricedProvider

__all__ = ["PROVIDERS", "ProviderOpener", "open_provider"]

_SIMULATED = "simulated"
_WIRE = "flowyard.llm.providers.openai_wire:OpenAIWireProvider"
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
        """The provider behind a connection; close it when done.

        Raises UserError when the connection is not to a language model or lacks a required field.
        """
        provider = _open(connection)
        if connection.type == _SIMULATED:
            return provider
        return PricedProvider(self._paced(provider, connection), Prices(self.rules.price_files))

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
    module, name = place.split(":")
    provider: Provider = getattr(import_module(module), name)(connection)
    return provider


def _unnamed(connection: Connection) -> str:
    """What tells connections without a name apart: where they lead."""
    address = connection.get("api_base") or connection.get("base_url") or ""
    return f"{connection.type} {address}"

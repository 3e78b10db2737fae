"""Model endpoints, found by connection type and imported when first needed."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

from flowyard.abc import Provider
from flowyard.llm.call_rules import CallRules
from flowyard.llm.connection import Connection

__all__ = ["ProviderOpener", "open_provider"]

_LAYERS = "flowyard.llm.providers.layers"
"""Imported with the first provider: pricing and pacing are much, and flows without models need none of it."""


@dataclass(frozen=True, slots=True)
class ProviderOpener:
    """Opens providers whose calls follow the rules of a run. Can be pickled."""

    rules: CallRules = CallRules()

    def __call__(self, connection: Connection) -> Provider:
        """The provider behind a connection; close it when done. In a replay nothing is behind it.

        Raises UserError when the connection is not to a language model or lacks a required field.
        """
        provider: Provider = import_module(_LAYERS).open_layers(connection, self.rules)
        return provider


open_provider = ProviderOpener()
"""Opens a provider outside of any run: no limits, and nothing that is shared."""

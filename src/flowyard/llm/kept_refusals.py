"""Fields of a request that an endpoint was found to refuse, kept from run to run beside the answers.

Whoever asks in an easier form after a refusal would ask in the strictest one again at the start of each run. Only who
asks knows that it was the field that was refused, because the same request without it was answered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowyard.llm.cache.answer_key import connection_identity, digest
from flowyard.llm.cache.kept_file import KeptFile, open_kept
from flowyard.llm.cache.rules import CacheRules
from flowyard.llm.connection import Connection
from flowyard.llm.providers import ProviderOpener
from flowyard.llm.services import Services

__all__ = ["KeptRefusals", "kept_refusals"]

_FORM = 1
"""Changes with the form of what is stored."""


class KeptRefusals:
    """The refusals that the cache of a flow's services keeps; without a cache, and in a replay, none. Close it."""

    def __init__(self, services: Services) -> None:
        self._rules = _rules_of(services)
        self._file: KeptFile | None = None
        if self._rules is not None:
            self._file = open_kept(self._rules.file, self._rules.most_bytes)

    def has(self, connection: Connection, model: str, fields: Mapping[str, Any]) -> bool:
        """Whether this model refused these fields; their values count. False when all is asked anew."""
        if self._file is None or self._rules is None or self._rules.mode == "refresh":
            return False
        return self._file.get(_key(connection, model, fields)) is not None

    def keep(self, connection: Connection, model: str, fields: Mapping[str, Any]) -> None:
        """Keep that this model refused these fields."""
        if self._file is not None:
            self._file.put(_key(connection, model, fields), b"refused", "what models refuse")

    async def close(self) -> None:
        """Write what is on its way."""
        file, self._file = self._file, None
        if file is not None:
            file.close()


def kept_refusals(services: Services) -> KeptRefusals:
    """Those of the services, which close them."""
    return services.shared(KeptRefusals, lambda: KeptRefusals(services))


def _rules_of(services: Services) -> CacheRules | None:
    """The cache's rules. In a replay a call is refused because it is not recorded, which says nothing of the model."""
    opener = services.open_provider
    if not isinstance(opener, ProviderOpener) or opener.rules.cache is None or opener.rules.cache.mode == "off":
        return None
    recording = opener.rules.recording
    return None if recording is not None and recording.mode == "replay" else opener.rules.cache


def _key(connection: Connection, model: str, fields: Mapping[str, Any]) -> bytes:
    return digest("refusal", _FORM, connection_identity(connection), model, dict(fields))

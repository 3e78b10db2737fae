"""Reads of one account, each in the version of the API that its part is documented in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from flowyard.azure.arm import ArmClient
from flowyard.azure.cloud import AzureCloud
from flowyard.azure.credentials import TokenProvider
from flowyard.azure.http import AzureHttp, Call

__all__ = ["AUTHORIZATION", "AccountReader"]

AUTHORIZATION = "Microsoft.Authorization"

_VERSIONS = {
    "Microsoft.MachineLearningServices": "2024-10-01",
    "Microsoft.ContainerRegistry": "2023-07-01",
    "Microsoft.Storage": "2023-05-01",
    "Microsoft.KeyVault": "2023-07-01",
    AUTHORIZATION: "2022-04-01",
}
_RESOURCES = "2021-04-01"
"""The version for subscriptions, resource groups and the registration of providers."""


@dataclass(slots=True)
class AccountReader:
    """Raises what ArmClient raises. Nothing is written."""

    http: AzureHttp
    cloud: AzureCloud
    tokens: TokenProvider
    _clients: dict[str, ArmClient] = field(default_factory=dict)

    async def get(self, path: str) -> Mapping[str, Any]:
        """The resource at a path."""
        return await self._client(path).get(path)

    async def list(self, path: str, query: Mapping[str, str] | None = None) -> list[Mapping[str, Any]]:
        """All items of a list."""
        return [item async for item in self._client(path).iter_items(path, query)]

    async def reach(self, url: str, what: str) -> int:
        """The status that a service answers somebody without a login with. Raises AzureError when nobody answers."""
        return (await self.http.send(Call("GET", url, f"GET {what}", {}, as_json=False))).status

    def _client(self, path: str) -> ArmClient:
        version = _version(path)
        if version not in self._clients:
            self._clients[version] = ArmClient(self.http, self.cloud, self.tokens, api_version=version, role="Reader")
        return self._clients[version]


def _version(path: str) -> str:
    """By the last provider in a path, which is whose resource it is."""
    parts = path.split("/")
    named = [after for part, after in pairwise(parts) if part == "providers"]
    is_registration = parts[-2:-1] == ["providers"]
    return _RESOURCES if is_registration or not named else _VERSIONS.get(named[-1], _RESOURCES)

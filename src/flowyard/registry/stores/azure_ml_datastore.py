"""The datastore of a workspace: which container it is, and what opens it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from flowyard.azure import ArmClient, AzureCloud, AzureError, TokenProvider, arm_path
from flowyard.azure.blobs import BlobAccess
from flowyard.azure.signature import container_signature

__all__ = ["Datastores"]

_KEPT_S = 1800.0


class Datastores:
    """Opens the datastores of one workspace, by the way that each has: a key, a signature, or the login itself.

    What opens one is a secret. It is kept in memory for half an hour, so that not every command asks for it again.
    """

    def __init__(self, path: str, cloud: AzureCloud, tokens: TokenProvider) -> None:
        self._path = path
        self._cloud = cloud
        self._tokens = tokens
        self._kept: dict[str, tuple[BlobAccess, float]] = {}

    async def access(self, arm: ArmClient, name: str) -> BlobAccess:
        """How the blobs of a datastore are reached. Raises AzureError for one that is no blob container."""
        kept = self._kept.get(name)
        if kept is None or time.monotonic() - kept[1] > _KEPT_S:
            kept = self._kept[name] = await self._ask(arm, name), time.monotonic()
        return kept[0]

    async def _ask(self, arm: ArmClient, name: str) -> BlobAccess:
        path = self._path + arm_path("datastores", name)
        record: Any = (await arm.get(path)).get("properties") or {}
        if record.get("datastoreType") != "AzureBlob" or not record.get("accountName"):
            raise AzureError(
                f"The datastore {name} is no blob container.", hint="Versions are kept in one of type AzureBlob."
            )
        account, container = str(record["accountName"]), str(record["containerName"])
        server = self._cloud.blob_account(
            account, str(record.get("protocol") or ""), str(record.get("endpoint") or "core.windows.net")
        )
        address = server + arm_path(container)
        if (record.get("credentials") or {}).get("credentialsType") not in ("AccountKey", "Sas"):
            return BlobAccess(address, tokens=self._tokens, scope=self._cloud.storage_scope)
        secrets = (await arm.post(f"{path}/listSecrets", repeatable=True)).body
        return BlobAccess(address, signature=_signature(secrets, account, container))


def _signature(secrets: Any, account: str, container: str) -> str:
    kind = secrets.get("secretsType")
    if kind == "Sas" and secrets.get("sasToken"):
        return str(secrets["sasToken"]).lstrip("?")
    try:
        return container_signature(account, container, str(secrets["key"]), datetime.now(UTC))
    except (KeyError, ValueError):
        raise AzureError("Azure gave no key for the datastore.", hint="Renew the datastore's credentials.") from None

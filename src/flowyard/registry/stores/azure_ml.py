"""The registry in an Azure ML workspace: datasets are data assets, flows are custom models, through its REST API.

**A version** is an asset's version, made with an explicit number. Its digest is a property, because properties of a
version cannot be altered afterwards, while tags can by anybody. It is compared with every version there is; then the
next number is written, and if somebody else wrote it first, everything is read and compared again.

**Aliases and facts** are blobs in the workspace's datastore, one for each change, numbered. Tags were the other choice:
they are changed by reading and writing all of them, so that of two changes at once one is lost; they have no history;
and a handful of facts is longer than tags may be. Small assets were the third: they would stand in everybody's list of
data. The store of blobs creates a name for exactly one writer, which makes an append-only log.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from flowyard._util.aio import run_blocking
from flowyard.abc import RegistryStore
from flowyard.azure import (
    ArmClient,
    AzureCloud,
    TokenProvider,
    open_http,
    open_tokens,
)
from flowyard.azure.blobs import BlobContainer
from flowyard.azure.patience import Patience
from flowyard.errors import UserError
from flowyard.registry.model import AliasChange, Draft, Kind, LineageFact, Registered, Version
from flowyard.registry.stores.azure_ml_address import AzureMlPlace, parse_place
from flowyard.registry.stores.azure_ml_assets import Assets
from flowyard.registry.stores.azure_ml_datastore import Datastores
from flowyard.registry.stores.azure_ml_desk import DATASTORE, AzureMlDesk
from flowyard.registry.stores.azure_ml_files import Manifest

__all__ = ["AzureMlStore", "open_store"]

API_VERSION = "2024-10-01"
"""The stable version of the API that everything here keeps to."""

_ROLE = "AzureML Data Scientist"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")

Result = TypeVar("Result")


def open_store(url: str, environ: Mapping[str, str]) -> AzureMlStore:
    """The store at ``azureml://subscriptions/S/resourceGroups/G/workspaces/W``; connects when it is first used.

    Raises UserError for another address.
    """
    place = parse_place(url)
    if place.is_registry:
        raise UserError(
            "A registry of Azure ML is no store for versions in the making.",
            hint="Register in a workspace, azureml://subscriptions/ID/resourceGroups/GROUP/workspaces/NAME.",
        )
    return AzureMlStore(place, AzureCloud.read(environ), open_tokens(environ))


class AzureMlStore(RegistryStore):
    """One workspace. Safe to use by many threads; each call opens its own connections and closes them."""

    def __init__(
        self, place: AzureMlPlace, cloud: AzureCloud, tokens: TokenProvider, patience: Patience | None = None
    ) -> None:
        self.label = place.label
        self._place = place
        self._cloud = cloud
        self._tokens = tokens
        self._patience = patience or Patience()
        self._datastores = Datastores(place.path, cloud, tokens)
        self._manifests: dict[str, Manifest] = {}

    def names(self, kind: Kind) -> Sequence[str]:
        return self._run(lambda desk: desk.names(kind))

    def versions(self, kind: Kind, name: str) -> Sequence[Version]:
        _require_name(name)
        return self._run(lambda desk: desk.versions(kind, name))

    def add(self, draft: Draft) -> Registered:
        _require_name(draft.name)
        return self._run(lambda desk: desk.add(draft))

    def fetch(self, version: Version, folder: Path) -> None:
        _require_name(version.name)
        return self._run(lambda desk: desk.fetch(version, folder))

    def move_alias(self, kind: Kind, name: str, change: AliasChange) -> None:
        _require_name(name)
        return self._run(lambda desk: desk.move_alias(kind, name, change))

    def alias_changes(self, kind: Kind, name: str) -> Sequence[AliasChange]:
        _require_name(name)
        return self._run(lambda desk: desk.alias_changes(kind, name))

    def add_fact(self, version: Version, fact: LineageFact) -> None:
        _require_name(version.name)
        return self._run(lambda desk: desk.add_fact(version, fact))

    def facts(self, version: Version) -> Sequence[LineageFact]:
        _require_name(version.name)
        return self._run(lambda desk: desk.facts(version))

    def _run(self, work: Callable[[AzureMlDesk], Awaitable[Result]]) -> Result:
        return run_blocking(self._work(work))

    async def _work(self, work: Callable[[AzureMlDesk], Awaitable[Result]]) -> Result:
        async with self._open() as desk:
            return await work(desk)

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[AzureMlDesk]:
        async with open_http(self._cloud, self._patience) as http:
            arm = ArmClient(http, self._cloud, self._tokens, api_version=API_VERSION, role=_ROLE)

            async def blobs(datastore: str = DATASTORE) -> BlobContainer:
                return BlobContainer(http, await self._datastores.access(arm, datastore))

            yield AzureMlDesk(self._place, Assets(arm, self._place.path), blobs, self._manifests, self._patience)


def _require_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise UserError(f"{name!r} cannot be a name in Azure ML.", hint="Use letters, digits, dots, '-' and '_'.")

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

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from flowyard._util.aio import run_blocking
from flowyard.abc import RegistryStore
from flowyard.azure import (
    ArmClient,
    AzureCloud,
    AzureConflict,
    AzureError,
    TokenProvider,
    open_http,
    open_tokens,
)
from flowyard.azure.blobs import BlobContainer
from flowyard.azure.patience import Patience
from flowyard.errors import NotFound, OutsideError, StoreError, UserError
from flowyard.registry.model import AliasChange, Draft, Kind, LineageFact, Registered, Version
from flowyard.registry.stores.azure_ml_address import AzureMlPlace, DatastorePath, parse_place
from flowyard.registry.stores.azure_ml_assets import Asset, Assets, asset_body
from flowyard.registry.stores.azure_ml_datastore import Datastores
from flowyard.registry.stores.azure_ml_files import (
    Manifest,
    append_entry,
    fetch_files,
    for_each,
    read_entries,
    read_manifest,
    root_of,
    upload,
)

__all__ = ["AzureMlStore", "open_store"]

API_VERSION = "2024-10-01"
"""The stable version of the API that everything here keeps to."""

_DATASTORE = "workspaceblobstore"
"""Every workspace has it from its beginning."""

_ROLE = "AzureML Data Scientist"
_MOST_ROUNDS = 1000
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
        self._patience = patience
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

    def _run(self, work: Callable[[_Desk], Awaitable[Result]]) -> Result:
        return run_blocking(self._work(work))

    async def _work(self, work: Callable[[_Desk], Awaitable[Result]]) -> Result:
        async with self._open() as desk:
            return await work(desk)

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[_Desk]:
        async with open_http(self._cloud, self._patience) as http:
            arm = ArmClient(http, self._cloud, self._tokens, api_version=API_VERSION, role=_ROLE)

            async def blobs(datastore: str = _DATASTORE) -> BlobContainer:
                return BlobContainer(http, await self._datastores.access(arm, datastore))

            yield _Desk(self._place, Assets(arm, self._place.path), blobs, self._manifests)


class _Desk:
    """The work of the store while its connections are open."""

    def __init__(
        self,
        place: AzureMlPlace,
        assets: Assets,
        blobs: Callable[..., Awaitable[BlobContainer]],
        manifests: dict[str, Manifest],
    ) -> None:
        self._place = place
        self._assets = assets
        self._blobs = blobs
        self._manifests = manifests

    async def names(self, kind: Kind) -> list[str]:
        """Other people's assets stand in the same list, so each name is looked into."""

        async def ours(name: str) -> bool:
            return bool(await self._assets.versions(kind, name))

        found = sorted(await self._assets.names(kind))
        return [name for name, is_ours in zip(found, await for_each(found, ours), strict=True) if is_ours]

    async def versions(self, kind: Kind, name: str) -> list[Version]:
        async def whole(asset: Asset) -> Version:
            return _version(kind, name, asset, await self._manifest(kind, name, asset.digest))

        return await for_each(await self._assets.versions(kind, name), whole)

    async def add(self, draft: Draft) -> Registered:
        known, _ = await self._compared(draft)
        if known is not None:
            return _registered(draft, known, is_new=False)
        uri = DatastorePath(_DATASTORE, await self._upload(draft)).uri(self._place)
        registration = str(uuid4())
        for _ in range(_MOST_ROUNDS):
            known, number = await self._compared(draft)
            if known is not None:
                return _registered(draft, known, is_new=False)
            made = await self._put(draft, number, uri, registration)
            if made is not None:
                return made
        raise OutsideError(f"{draft.name} is registered by too many at once.", hint="Run the command again.")

    async def _compared(self, draft: Draft) -> tuple[Asset | None, int]:
        """The version with the draft's digest, if there is one, and the number that a new one would get.

        The number is asked for first: what is written after that has this number or a higher one, so that a version
        that the list does not show yet makes the number taken, and is seen in the next round.
        """
        number = await self._assets.next_version(draft.kind, draft.name)
        assets = await self._assets.versions(draft.kind, draft.name)
        shown = {each.version for each in assets}
        if number > 1 and number - 1 not in shown:  # a list may lag behind the newest
            newest = await self._assets.find_ours(draft.kind, draft.name, number - 1)
            assets = [*assets, newest] if newest is not None else assets
        match = next((each for each in assets if each.digest == draft.digest), None)
        return match, max([number, *(each + 1 for each in shown)])

    async def _put(self, draft: Draft, number: int, uri: str, registration: str) -> Registered | None:
        """The version, if it is now ours or another's with the same content; None when the number went elsewhere."""
        body = asset_body(draft, uri, registration)
        try:
            asset = await self._assets.put(draft.kind, draft.name, number, body)
        except AzureError as error:
            if not isinstance(error, AzureConflict) and error.status != 400:
                raise
            taken = await self._assets.find(draft.kind, draft.name, number)
            if taken is None and not isinstance(error, AzureConflict):
                raise  # Azure did not like the request itself
            await asyncio.sleep(0)
            return None
        if asset is None or asset.digest != draft.digest:
            return None
        return _registered(draft, asset, is_new=asset.registration == registration)

    async def _upload(self, draft: Draft) -> str:
        return await upload(await self._blobs(), draft, root_of(draft.kind, draft.name))

    async def fetch(self, version: Version, folder: Path) -> None:
        asset = await self._require(version.kind, version.name, version.version)
        if asset.digest != version.digest:
            raise StoreError(f"{version.label} has another digest in {self._place.label} than it had.")
        files = DatastorePath.parse(asset.uri)
        blobs = await self._blobs(files.datastore)
        await fetch_files(blobs, version.files, files.path, folder, is_file=not version.is_folder)

    async def move_alias(self, kind: Kind, name: str, change: AliasChange) -> None:
        if change.version is not None:
            await self._require(kind, name, change.version)
        elif not await self._assets.versions(kind, name):
            raise NotFound(f"There is no {kind} {name} in {self._place.label}.")
        await append_entry(await self._blobs(), f"{root_of(kind, name)}/aliases", asdict(change))

    async def alias_changes(self, kind: Kind, name: str) -> list[AliasChange]:
        entries = await read_entries(await self._blobs(), f"{root_of(kind, name)}/aliases")
        return [_read(AliasChange, entry) for entry in entries]

    async def add_fact(self, version: Version, fact: LineageFact) -> None:
        await self._require(version.kind, version.name, version.version)
        entry = {"kind": fact.kind, "value": dict(fact.value), "by": fact.by, "at": fact.at}
        await append_entry(await self._blobs(), _facts(version), entry)

    async def facts(self, version: Version) -> list[LineageFact]:
        entries = await read_entries(await self._blobs(), _facts(version))
        return [_read(LineageFact, entry) for entry in entries]

    async def _require(self, kind: Kind, name: str, version: int) -> Asset:
        asset = await self._assets.find_ours(kind, name, version)
        if asset is None:
            raise NotFound(f"There is no {kind} {name}:{version} in {self._place.label}.")
        return asset

    async def _manifest(self, kind: Kind, name: str, digest: str) -> Manifest:
        manifest = self._manifests.get(digest)
        if manifest is None:
            manifest = await read_manifest(await self._blobs(), root_of(kind, name), digest)
            self._manifests[digest] = manifest  # a digest has one content, whoever wrote it
        return manifest


def _facts(version: Version) -> str:
    return f"{root_of(version.kind, version.name)}/versions/{version.version}/facts"


def _version(kind: Kind, name: str, asset: Asset, manifest: Manifest) -> Version:
    files, is_folder, settings = manifest
    return Version(
        kind=kind,
        name=name,
        version=asset.version,
        digest=asset.digest,
        files=files,
        is_folder=is_folder,
        description=asset.description,
        created_at=asset.created_at,
        settings=settings,
    )


def _registered(draft: Draft, asset: Asset, *, is_new: bool) -> Registered:
    """A version that has the draft's digest has its files, too."""
    manifest = draft.files, draft.is_folder, draft.settings
    return Registered(_version(draft.kind, draft.name, asset, manifest), is_new)


Record = TypeVar("Record", AliasChange, LineageFact)


def _read(kind: type[Record], entry: Mapping[str, Any]) -> Record:
    try:
        return kind(**{name: value for name, value in entry.items() if name != "id"})
    except TypeError:
        raise StoreError("A record in the datastore is damaged.", hint="It is a blob below flowyard/.") from None


def _require_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise UserError(f"{name!r} cannot be a name in Azure ML.", hint="Use letters, digits, dots, '-' and '_'.")

"""What the registry in Azure ML does while its connections are open: compares, registers, fetches, writes down."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

from flowyard.azure import AzureConflict, AzureError
from flowyard.azure.blobs import BlobContainer
from flowyard.azure.patience import Patience
from flowyard.errors import NotFound, OutsideError, StoreError
from flowyard.registry.model import AliasChange, Draft, Kind, LineageFact, Registered, Version
from flowyard.registry.stores.azure_ml_address import AzureMlPlace, DatastorePath
from flowyard.registry.stores.azure_ml_assets import Asset, Assets, asset_body
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

__all__ = ["DATASTORE", "AzureMlDesk"]

DATASTORE = "workspaceblobstore"
"""Every workspace has it from its beginning."""

_MOST_ROUNDS = 1000
_MOST_UNEXPLAINED = 5


class AzureMlDesk:
    """One workspace while its connections are open. ``blobs`` opens a datastore by its name."""

    def __init__(
        self,
        place: AzureMlPlace,
        assets: Assets,
        blobs: Callable[..., Awaitable[BlobContainer]],
        manifests: dict[str, Manifest],
        patience: Patience,
    ) -> None:
        self._place = place
        self._assets = assets
        self._blobs = blobs
        self._manifests = manifests
        self._patience = patience

    async def names(self, kind: Kind) -> list[str]:
        """Other people's assets stand in the same list, so each name is looked into."""

        async def ours(name: str) -> bool:
            return bool(await self._assets.versions(kind, name))

        found = sorted(await self._assets.names(kind))
        return [name for name, is_ours in zip(found, await for_each(found, ours), strict=True) if is_ours]

    async def versions(self, kind: Kind, name: str) -> list[Version]:
        assets = await self._assets.versions(kind, name)
        if not assets:
            return []
        blobs, root = await self._blobs(), root_of(kind, name)

        async def whole(asset: Asset) -> Version:
            if asset.digest not in self._manifests:  # a digest has one content, whoever wrote it
                self._manifests[asset.digest] = await read_manifest(blobs, root, asset.digest)
            return _version(kind, name, asset, self._manifests[asset.digest])

        return await for_each(assets, whole)

    async def add(self, draft: Draft) -> Registered:
        known, _ = await self._compared(draft)
        if known is not None:
            return _registered(draft, known, is_new=False)
        uri = DatastorePath(DATASTORE, await self._upload(draft)).uri(self._place)
        registration, unexplained = str(uuid4()), 0
        for _ in range(_MOST_ROUNDS):
            known, number = await self._compared(draft)
            if known is not None:
                return _registered(draft, known, is_new=False)
            try:
                body = asset_body(draft, uri, registration)
                asset = await self._assets.put(draft.kind, draft.name, number, body)
            except AzureError as error:
                unexplained += await self._is_unexplained(draft, number, error)
                if unexplained > _MOST_UNEXPLAINED:
                    raise
                await self._patience.sleep(self._patience.wait_s(1 + unexplained, None) if unexplained else 0)
            else:
                if asset is not None and asset.digest == draft.digest:
                    return _registered(draft, asset, is_new=asset.registration == registration)
        raise OutsideError(f"{draft.name} is registered by too many at once.", hint="Run the command again.")

    async def _is_unexplained(self, draft: Draft, number: int, error: AzureError) -> bool:
        """Whether a conflict has another reason than that the number was taken meanwhile. Raises what is no conflict.

        Azure answers 409 or 400 where a version would be changed.
        """
        if not isinstance(error, AzureConflict) and error.status != 400:
            raise error
        taken = await self._assets.find(draft.kind, draft.name, number)
        if taken is None and not isinstance(error, AzureConflict):
            raise error
        return taken is None

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

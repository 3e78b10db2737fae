"""The files of versions, and what becomes known of them, as blobs in a workspace's datastore.

::

    flowyard/datasets/NAME/DIGEST/manifest.json         the files with sizes and digests, and the settings
    flowyard/datasets/NAME/DIGEST/files/…               the files under their names: what the asset points at
    flowyard/datasets/NAME/aliases/00000001.json        changes of aliases, one blob each
    flowyard/datasets/NAME/versions/3/facts/00000001.json
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, TypeVar
from uuid import uuid4

from flowyard.azure import AzureConflict, AzureNotFound
from flowyard.azure.blobs import BlobContainer
from flowyard.errors import Conflict, OutsideError, StoreError
from flowyard.registry.model import Draft, Kind, version_digest
from flowyard.registry.tree import TreeFile, is_plain_name

__all__ = ["Manifest", "append_entry", "fetch_files", "for_each", "read_entries", "read_manifest", "root_of", "upload"]

Item = TypeVar("Item")
Result = TypeVar("Result")

_AT_ONCE = 8
_MOST_TRIES = 1000
_ENTRY = re.compile(r"[0-9]{8}\.json")
_FILES = "files"
_MANIFEST = "manifest.json"

Manifest = tuple[tuple[TreeFile, ...], bool, Mapping[str, Any]]
"""A version's files, whether it is a folder, and its settings."""


def root_of(kind: Kind, name: str) -> str:
    """Where everything of a name lies in the datastore."""
    return f"flowyard/{kind}s/{name}"


async def upload(blobs: BlobContainer, draft: Draft, root: str) -> str:
    """Write the files and the manifest of a draft; returns the blob, or the beginning of the blobs, with its content.

    Whoever writes the same content writes the same blobs, so that a killed upload is only completed by the next one.
    Raises Conflict when a file is no longer what the draft says.
    """

    async def send(pair: tuple[TreeFile, Path]) -> None:
        file, place = pair

        def check(size: int, digest: str) -> None:
            if (size, digest) != (file.size, file.digest):
                raise Conflict(f"{place} changed while it was read.", hint="Register it when nothing writes there.")

        try:
            await blobs.put_file(f"{root}/{draft.digest}/{_FILES}/{file.name}", place, check)
        except OSError as error:
            raise OutsideError(f"{place} cannot be read: {error.strerror or error}.") from None

    await for_each(zip(draft.files, draft.places, strict=True), send)
    manifest = {
        "is_folder": draft.is_folder,
        "settings": dict(draft.settings),
        "files": [[file.name, file.size, file.digest] for file in draft.files],
    }
    await blobs.put(f"{root}/{draft.digest}/{_MANIFEST}", _packed(manifest))
    content = f"{root}/{draft.digest}/{_FILES}"
    return content if draft.is_folder else f"{content}/{draft.files[0].name}"


async def read_manifest(blobs: BlobContainer, root: str, digest: str) -> Manifest:
    """What a version is made of. Raises StoreError when it is gone, or is not what has that digest."""
    try:
        record = json.loads(await blobs.get(f"{root}/{digest}/{_MANIFEST}"))
        files = tuple(TreeFile(str(name), int(size), str(digest)) for name, size, digest in record["files"])
        manifest = files, bool(record["is_folder"]), dict(record["settings"])
        same = version_digest(*manifest) == digest and all(is_plain_name(file.name) for file in files)
    except AzureNotFound:
        raise _damaged(root, digest, "is missing") from None
    except (ValueError, KeyError, TypeError):
        same = False
    if not same:
        raise _damaged(root, digest, "was changed")
    return manifest


async def fetch_files(
    blobs: BlobContainer, files: Sequence[TreeFile], content: str, folder: Path, *, is_file: bool
) -> None:
    """Write files below a folder. ``content`` is the beginning of their blobs' names, or the name of the one.

    Raises StoreError when one is missing or has other bytes.
    """

    async def get(file: TreeFile) -> None:
        if not is_plain_name(file.name):
            raise StoreError(f"The version has a file {file.name!r}, which leads elsewhere.")
        path = folder / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as target:
            sink = _CheckedFile(target, file)
            try:
                await blobs.get_into(content if is_file else f"{content}/{file.name}", sink)
            except AzureNotFound:
                raise StoreError(f"{file.name} of the version is missing in the datastore.") from None
            sink.require_whole()

    await for_each(files, get)


async def append_entry(blobs: BlobContainer, log: str, entry: Mapping[str, Any]) -> None:
    """Add a record to a log, behind all there are. Nothing is ever changed there.

    The store of blobs lets exactly one writer create a name, so that no entry of two at once is lost.
    """
    content = _packed({**entry, "id": str(uuid4())})
    number = len(await _entry_names(blobs, log)) + 1
    for _ in range(_MOST_TRIES):
        name = f"{log}/{number:08d}.json"
        try:
            await blobs.put(name, content, only_new=True)
            return
        except AzureConflict:
            if await blobs.get(name) == content:
                return  # an earlier attempt did arrive, only its answer did not
        number += 1
    raise StoreError(f"The log {log} is written by too many at once.", hint="Run the command again.")


async def read_entries(blobs: BlobContainer, log: str) -> list[Mapping[str, Any]]:
    """All records of a log, oldest first. Raises StoreError when one cannot be read."""

    async def get(name: str) -> Mapping[str, Any]:
        try:
            entry = json.loads(await blobs.get(name))
        except ValueError:
            entry = None
        if not isinstance(entry, dict):
            raise StoreError(f"{name} in the datastore is damaged.", hint="Restore that blob.")
        return entry

    return await for_each(await _entry_names(blobs, log), get)


async def for_each(items: Iterable[Item], work: Callable[[Item], Awaitable[Result]]) -> list[Result]:
    """The results in the items' order, some at a time. The first failure ends all and is raised as it is."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(item: Item) -> Result:
        async with gate:
            return await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(item)) for item in items]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]


async def _entry_names(blobs: BlobContainer, log: str) -> list[str]:
    names = [name async for name in blobs.iter_names(f"{log}/")]
    return sorted(name for name in names if _ENTRY.fullmatch(name.removeprefix(f"{log}/")))


class _CheckedFile:
    """A file that is written and compared with what it should be; no more than its size is ever written."""

    def __init__(self, target: BinaryIO, file: TreeFile) -> None:
        self._target = target
        self._file = file
        self.restart()

    def restart(self) -> None:
        self._target.seek(0)
        self._target.truncate()
        self._whole, self._size = hashlib.sha256(), 0

    def write(self, piece: bytes, /) -> None:
        self._size += len(piece)
        if self._size > self._file.size:
            raise self._changed()
        self._whole.update(piece)
        self._target.write(piece)

    def require_whole(self) -> None:
        if self._size != self._file.size or self._whole.hexdigest() != self._file.digest:
            raise self._changed()

    def _changed(self) -> StoreError:
        return StoreError(
            f"{self._file.name} of the version was changed in the datastore.",
            hint="Restore the blob, or register the content anew from where it came.",
        )


def _packed(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, ensure_ascii=False, sort_keys=True, allow_nan=False).encode()


def _damaged(root: str, digest: str, how: str) -> StoreError:
    return StoreError(f"The manifest of {root} {digest[:12]} {how} in the datastore.", hint="Restore that blob.")

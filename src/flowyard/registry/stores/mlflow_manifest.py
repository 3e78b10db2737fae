"""What a version is, as an artifact beside its files: tags are too small for the names of ten thousand files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from flowyard.errors import StoreError
from flowyard.registry.model import Draft, Kind, Version, version_digest
from flowyard.registry.stores.mlflow_models import Entry
from flowyard.registry.tree import TreeFile, is_plain_name

__all__ = ["MANIFEST", "manifest_of", "version_of"]

MANIFEST = "flowyard/version.json"

_DIGEST = re.compile(r"[0-9a-f]{64}")


def manifest_of(draft: Draft) -> dict[str, Any]:
    """What :func:`version_of` reads."""
    return {
        "format": 1,
        "kind": draft.kind,
        "name": draft.name,
        "digest": draft.digest,
        "files": [[file.name, file.size, file.digest] for file in draft.files],
        "is_folder": draft.is_folder,
        "settings": dict(draft.settings),
        "description": draft.description,
        "created_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }


def version_of(manifest: Mapping[str, Any], kind: Kind, name: str, entry: Entry) -> Version:
    """The version that an artifact describes. Raises StoreError when it does not fit the digest."""
    try:
        files = tuple(TreeFile(str(each[0]), int(each[1]), str(each[2])) for each in manifest["files"])
        fits = all(is_plain_name(file.name) and _DIGEST.fullmatch(file.digest) and file.size >= 0 for file in files)
        is_folder, settings = bool(manifest["is_folder"]), dict(manifest["settings"])
        fits = fits and version_digest(files, is_folder, settings) == entry.digest
        description, created_at = str(manifest["description"]), str(manifest["created_at"])
    except (ValueError, KeyError, TypeError, IndexError, OverflowError) as error:
        raise _damaged(name, entry) from error
    if not fits:
        raise _damaged(name, entry)
    return Version(kind, name, entry.number, entry.digest, files, is_folder, description, created_at, settings)


def _damaged(name: str, entry: Entry) -> StoreError:
    message = f"{name}:{entry.number} was changed in MLflow: its files do not fit its digest."
    return StoreError(message, hint=f"Restore the artifact {MANIFEST} of its run.")

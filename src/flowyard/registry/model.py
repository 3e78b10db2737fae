"""What a registry keeps: versions that never change, and what becomes known of them afterwards."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from flowyard.registry.tree import TreeFile, tree_digest

__all__ = ["AliasChange", "Draft", "Kind", "LineageFact", "LineageKind", "Registered", "Version", "version_digest"]

Kind = Literal["dataset", "flow"]
LineageKind = Literal[
    "commit",
    "run",
    "metrics",
    "gates",
    "dataset",
    "evaluator",
    "approval",
    "image",
    "deployment",
    "note",
    "production",
]

_HEAD = b"flowyard version 1\n"


@dataclass(frozen=True, slots=True)
class Version:
    """Content under a name, from the moment on that it was registered.

    ``version`` counts up from 1 without gaps. ``settings`` is what the digest covers besides the files: of a flow its
    chosen ``variant`` ({node: id}) and ``parameters`` ({name: value}). ``created_at`` is ISO 8601 in UTC.
    """

    kind: Kind
    name: str
    version: int
    digest: str
    files: tuple[TreeFile, ...]
    is_folder: bool
    description: str
    created_at: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    @property
    def label(self) -> str:
        """``name:version``."""
        return f"{self.name}:{self.version}"


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be registered. ``places`` has for each file, in the same order, where its content can be read."""

    kind: Kind
    name: str
    files: tuple[TreeFile, ...]
    places: tuple[Path, ...]
    is_folder: bool
    description: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        return version_digest(self.files, self.is_folder, self.settings)


@dataclass(frozen=True, slots=True)
class Registered:
    """The version that has the content, and whether it was made for it."""

    version: Version
    is_new: bool


@dataclass(frozen=True, slots=True)
class AliasChange:
    """An alias was moved to a version, or taken away (``version`` None), by whom and why. ``at`` is ISO 8601 in UTC."""

    alias: str
    version: int | None
    by: str
    reason: str
    at: str


@dataclass(frozen=True, slots=True)
class LineageFact:
    """Something that became known of a version. ``value`` is what JSON can hold, without secrets.

    ``commit`` {revision, branch, dirty, repository}; ``run`` {name, experiment, key, variant, dataset}; ``metrics``
    {run, dataset, metrics}; ``gates`` {experiment, key, verdict, gates}; ``dataset`` and ``evaluator`` {name, version,
    digest}; ``approval`` {request, decision, by, environment, target, ledger_head}; ``image`` {reference, digest};
    ``deployment`` {environment, target, endpoint, deployment, state}; ``note`` {text}; ``production`` {flow, versions,
    chosen, since, until, lines, reviewed}.
    """

    kind: LineageKind
    value: Mapping[str, Any]
    by: str
    at: str


def version_digest(files: Sequence[TreeFile], is_folder: bool, settings: Mapping[str, Any]) -> str:
    """The SHA-256, in hex, of all that makes a version what it is: its files' names and bytes, and its settings."""
    text = json.dumps(settings, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    whole = hashlib.sha256(_HEAD + (b"folder" if is_folder else b"file"))
    whole.update(bytes.fromhex(tree_digest(files)) + len(text).to_bytes(8, "big") + text)
    return whole.hexdigest()

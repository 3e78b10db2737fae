"""All SQL about registered versions, for every database."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from flowyard.errors import StoreError
from flowyard.registry.model import AliasChange, Draft, LineageFact, Version, version_digest
from flowyard.registry.tree import TreeFile, is_plain_name
from flowyard.store.database import Session

__all__ = ["add_alias_change", "add_fact", "alias_changes", "claim_version", "facts", "find_digest", "has", "names"]
__all__ += ["versions"]

_COLUMNS = "kind, name, version, digest, description, created, content"
_HEX = frozenset("0123456789abcdef")


def names(session: Session, kind: str) -> list[str]:
    """What has a version, sorted."""
    found = session.execute(
        "SELECT DISTINCT name FROM flowyard_registry_versions WHERE kind = ? ORDER BY name", (kind,)
    )
    return [name for (name,) in found.fetchall()]


def versions(session: Session, kind: str, name: str) -> list[Version]:
    """All versions of a name, oldest first. Raises StoreError for one that is damaged or missing."""
    found = _found(session, "kind = ? AND name = ? ORDER BY version", (kind, name))
    _require_all([each.version for each in found], f"Versions of {kind} {name!r}")
    return found


def find_digest(session: Session, draft: Draft, digest: str) -> Version | None:
    """The version that has the draft's content, of which that is the digest."""
    found = session.execute(
        "SELECT version, description, created FROM flowyard_registry_versions "
        "WHERE kind = ? AND name = ? AND digest = ?",
        (draft.kind, draft.name, digest),
    ).fetchall()
    return _drafted(draft, digest, *found[0]) if found else None


def has(session: Session, kind: str, name: str, version: int) -> bool:
    """Whether there is such a version."""
    condition = "kind = ? AND name = ? AND version = ?"
    found = session.execute(
        f"SELECT 1 FROM flowyard_registry_versions WHERE {condition}",  # noqa: S608
        (kind, name, version),
    )
    return bool(found.fetchall())


def claim_version(session: Session, draft: Draft, digest: str, now: str) -> tuple[Version, bool]:
    """The version that has the draft's content, and whether it is a new one, with the next number.

    Where transactions run side by side, one that takes the number or the content first makes this one look again.
    """
    content = _content_text(draft)
    while True:
        if earlier := find_digest(session, draft, digest):
            return earlier, False
        number = _next(
            session, "flowyard_registry_versions", "version", "kind = ? AND name = ?", draft.kind, draft.name
        )
        made = session.execute(
            f"INSERT INTO flowyard_registry_versions ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",  # noqa: S608
            (draft.kind, draft.name, number, digest, draft.description, now, content),
        )
        if made.rowcount:
            return _drafted(draft, digest, number, draft.description, now), True


def add_alias_change(session: Session, kind: str, name: str, change: AliasChange) -> None:
    """Append to the history of a name's aliases."""
    table, condition = "flowyard_registry_aliases", "kind = ? AND name = ?"
    while True:
        number = _next(session, table, "number", condition, kind, name)
        made = session.execute(
            "INSERT INTO flowyard_registry_aliases (kind, name, number, alias, version, changed_by, reason, changed) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (kind, name, number, change.alias, change.version, change.by, change.reason, change.at),
        )
        if made.rowcount:
            return


def alias_changes(session: Session, kind: str, name: str) -> list[AliasChange]:
    """The history of a name's aliases, oldest first. Raises StoreError when a part of it is missing."""
    found = session.execute(
        "SELECT number, alias, version, changed_by, reason, changed FROM flowyard_registry_aliases "
        "WHERE kind = ? AND name = ? ORDER BY number",
        (kind, name),
    ).fetchall()
    _require_all([row[0] for row in found], f"Changes of aliases of {kind} {name!r}")
    return [AliasChange(*row[1:]) for row in found]


def add_fact(session: Session, version: Version, fact: LineageFact) -> None:
    """Append to what is known of a version."""
    table, condition = "flowyard_registry_facts", "kind = ? AND name = ? AND version = ?"
    value = json.dumps(dict(fact.value), allow_nan=False)
    while True:
        number = _next(session, table, "number", condition, version.kind, version.name, version.version)
        made = session.execute(
            "INSERT INTO flowyard_registry_facts (kind, name, version, number, fact, value, noted_by, noted) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (version.kind, version.name, version.version, number, fact.kind, value, fact.by, fact.at),
        )
        if made.rowcount:
            return


def facts(session: Session, version: Version) -> list[LineageFact]:
    """What is known of a version, oldest first. Raises StoreError for what is damaged."""
    found = session.execute(
        "SELECT number, fact, value, noted_by, noted FROM flowyard_registry_facts "
        "WHERE kind = ? AND name = ? AND version = ? ORDER BY number",
        (version.kind, version.name, version.version),
    ).fetchall()
    _require_all([row[0] for row in found], f"Facts of {version.label}")
    try:
        return [LineageFact(kind, json.loads(value), by, at) for _, kind, value, by, at in found]
    except ValueError as error:
        raise StoreError(f"What is known of {version.label} is damaged: {error}.", hint="Restore a backup.") from error


def _require_all(numbers: Sequence[Any], what: str) -> None:
    """Numbers are given one after the other, so that a gap is a row that was changed or taken away."""
    if numbers != list(range(1, len(numbers) + 1)):
        raise StoreError(f"{what} are missing in the registry.", hint="Restore a backup.")


def _next(session: Session, table: str, column: str, condition: str, *values: Any) -> int:
    found = session.execute(f"SELECT COALESCE(MAX({column}), 0) + 1 FROM {table} WHERE {condition}", values)  # noqa: S608
    return int(found.fetchall()[0][0])


def _found(session: Session, condition: str, values: Sequence[Any]) -> list[Version]:
    rows = session.execute(f"SELECT {_COLUMNS} FROM flowyard_registry_versions WHERE {condition}", values)  # noqa: S608
    return [_version(*row) for row in rows.fetchall()]


def _drafted(draft: Draft, digest: str, number: int, description: str, created: str) -> Version:
    """The version of a number, whose content the draft has."""
    return Version(
        draft.kind, draft.name, number, digest, draft.files, draft.is_folder, description, created, draft.settings
    )


def _content_text(draft: Draft) -> str:
    files = [[file.name, file.size, file.digest] for file in draft.files]
    content = {"files": files, "is_folder": draft.is_folder, "settings": dict(draft.settings)}
    return json.dumps(content, allow_nan=False)


def _version(*row: Any) -> Version:
    """A version as it was stored. Raises StoreError for one that nobody could have registered."""
    kind, name, number, digest, description, created, text = row
    try:
        content = json.loads(text)
        files = tuple(TreeFile(str(name), int(size), str(digest)) for name, size, digest in content["files"])
        is_folder, settings = bool(content["is_folder"]), dict(content["settings"])
        fits = all(map(_is_sound, files)) and (is_folder or len(files) == 1)
        if not fits or version_digest(files, is_folder, settings) != digest:
            raise ValueError("it does not fit its digest")
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"Version {number} of {name!r} is damaged: {error}.", hint="Restore a backup.") from error
    return Version(kind, name, number, digest, files, is_folder, description, created, settings)


def _is_sound(file: TreeFile) -> bool:
    return is_plain_name(file.name) and len(file.digest) == 64 and _HEX.issuperset(file.digest)

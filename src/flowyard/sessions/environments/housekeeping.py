"""Listing and deleting built environments, with the images that belong to them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from flowyard.errors import OutsideError
from flowyard.sessions.environments.built import Built, BuiltEnvironments, size_of
from flowyard.sessions.environments.engine import find_engine

__all__ = ["Listed", "delete_environments", "list_environments"]


@dataclass(frozen=True, slots=True)
class Listed:
    """A built environment and its size, which is None for an image that cannot be asked for."""

    built: Built
    size_bytes: int | None


def list_environments(environments: BuiltEnvironments) -> list[Listed]:
    """All environments with their sizes, the one used last first."""
    return [Listed(built, _size(built)) for built in environments.all()]


def delete_environments(environments: BuiltEnvironments, keys: Iterable[str]) -> tuple[list[str], dict[str, str]]:
    """Delete environments and their images; gives the keys that are gone, and for others the reason."""
    deleted: list[str] = []
    kept: dict[str, str] = {}
    for key in keys:
        reason = _delete(environments, key)
        if reason:
            kept[key] = reason
        else:
            deleted.append(key)
    return deleted, kept


def _delete(environments: BuiltEnvironments, key: str) -> str | None:
    try:
        return None if environments.delete(key, _remove_image) else "it is in use"
    except OutsideError as error:
        return f"its image cannot be removed: {error.message}"


def _remove_image(built: Built) -> None:
    if built.note.image:
        find_engine(built.note.tool).remove_image(built.note.image)


def _size(built: Built) -> int | None:
    if built.note.image is None:
        return size_of(built.folder)
    try:
        return find_engine(built.note.tool).size_of(built.note.image)
    except OutsideError:
        return None

"""Databases by the beginning of their URL; each is imported when it is wanted."""

from __future__ import annotations

from pathlib import Path

from flowyard.errors import UserError
from flowyard.store.database import Database

__all__ = ["DATABASE_FILE", "open_database", "require_store_url"]

DATABASE_FILE = "flowyard.db"

_SCHEMES = ("postgresql://", "postgres://")


def require_store_url(url: str) -> str:
    """A URL that ``open_database`` takes. Raises UserError, which does not repeat it: it may hold a password."""
    if not url.startswith(_SCHEMES):
        raise UserError(
            "The store's URL is none that flowyard knows.",
            hint="Write postgresql://USER@HOST/DATABASE, or nothing for a file in the home.",
        )
    return url


def open_database(home: Path, url: str | None) -> Database:
    """The database of a URL, or without one the SQLite file in ``home``. Nothing is connected or made yet."""
    if url is None:
        from flowyard.store.sqlite import SqliteDatabase  # noqa: PLC0415 - only what is used is loaded

        return SqliteDatabase(home / DATABASE_FILE)
    from flowyard.store.postgres import PostgresDatabase  # noqa: PLC0415 - only what is used is loaded

    return PostgresDatabase(require_store_url(url))

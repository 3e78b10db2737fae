"""Carrying a migration out: the safe changes, then the report."""

from __future__ import annotations

from flowyard.migration.markdown import PAGE, migration_page
from flowyard.migration.model import Migration
from flowyard.migration.rewrite import Written, keep_and_write, require_writable
from flowyard.migration.survey import survey_repository

__all__ = ["write_migration", "writes_page"]


def writes_page(migration: Migration) -> bool:
    """Whether writing the migration would write ``MIGRATION.md``, or write it anew."""
    file = migration.root / PAGE
    return bool(migration.changes) or not file.is_file() or file.read_bytes() != migration_page(migration).encode()


def write_migration(migration: Migration, *, with_page: bool = True) -> list[Written]:
    """Change the experiment files, and ``with_page`` look again and write ``MIGRATION.md``.

    Done twice, the second time does nothing.
    What a file said before is kept beside it. Raises UserError when a file may not be written, OSError when it cannot.
    """
    for file in [*(change.file for change in migration.changes), *([migration.root / PAGE] if with_page else [])]:
        require_writable(file)  # before anything is written
    written = [keep_and_write(change.file, change.after) for change in migration.changes]
    if with_page:
        page = migration_page(survey_repository(migration.root))
        written.append(keep_and_write(migration.root / PAGE, page))
    return [each for each in written if each is not None]

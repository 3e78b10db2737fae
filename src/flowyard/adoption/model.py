"""What an adoption would do: which files it writes, what became of what, and what is left to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from flowyard.migration import PAGE, Migration, writes_page

__all__ = ["Adoption", "LeftToDo", "Mapped"]


@dataclass(frozen=True, slots=True)
class Mapped:
    """Something that was found, and what it is here. ``where`` is ``file:line``."""

    where: str
    found: str
    here: str


@dataclass(frozen=True, slots=True)
class LeftToDo:
    """What a person has to look at. ``where`` is ``file:line``; ``advice`` is the next step."""

    where: str
    message: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Adoption:
    """All of it. ``files`` are new, by their place below ``root``; of a repository, ``migration`` changes files too.

    ``use_cases`` are folders below ``root``; ``is_copied`` says that they are made, and not there already.
    """

    root: Path
    use_cases: tuple[str, ...]
    is_copied: bool
    files: Mapping[PurePosixPath, bytes] = field(default_factory=dict)
    mapped: tuple[Mapped, ...] = ()
    left: tuple[LeftToDo, ...] = ()
    migration: Migration | None = None

    @property
    def new_files(self) -> list[str]:
        """All that would be written, by its place below ``root``, but for files that are changed."""
        has_page = self.migration is not None and self.migration.is_of_template and writes_page(self.migration)
        return [*(place.as_posix() for place in self.files), *([PAGE] if has_page else [])]

"""A new use case: a folder with flows, data, an experiment and all that follows, which runs as it is."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from flowyard._util.suggest import did_you_mean, known_names
from flowyard.errors import UserError
from flowyard.scaffold.names import require_use_case_name
from flowyard.scaffold.whole_files import new_folder

__all__ = ["TEMPLATES", "new_use_case", "use_case_files"]

_TEMPLATES = Path(__file__).parent / "use_cases"
TEMPLATES = ("classification", "chat", "rag", "agent", "function", "prompty")

_NAME = "USE_CASE"
"""Stands for the use case's name in the template's files and in the names of its tests."""


def new_use_case(root: Path, name: str, template: str) -> list[Path]:
    """Write the use case into the folder ``name`` below ``root``, whole or not at all, and return its files.

    Raises UserError for a name or template that cannot be, Conflict when the folder is there.
    """
    return new_folder(root / require_use_case_name(name), use_case_files(name, template))


def use_case_files(name: str, template: str) -> dict[PurePosixPath, bytes]:
    """The files of a use case of that name by their place in its folder. Raises UserError for an unknown template."""
    if template not in TEMPLATES:
        hint = did_you_mean(template, TEMPLATES) or f"There are {known_names(TEMPLATES, most=10)}."
        raise UserError(f"There is no template {template!r}.", hint=hint)
    folder = _TEMPLATES / template
    sources = sorted(file for file in folder.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    return {
        _place(file.relative_to(folder), name): file.read_bytes().replace(b"USE_CASE", name.encode())
        for file in sources
    }


def _place(file: Path, name: str) -> PurePosixPath:
    """Tests are called after the use case, so that those of several can be run together."""
    return PurePosixPath(file.with_name(file.name.replace(_NAME, name.replace("-", "_"))).as_posix())

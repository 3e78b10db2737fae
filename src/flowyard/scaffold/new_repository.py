"""A repository for many use cases: what is in it before the first one."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from flowyard.scaffold.whole_files import absent_files, place_files

__all__ = ["SCHEMA_FOLDER", "NewRepository", "new_repository", "repository_files"]

_SOURCES = Path(__file__).parent / "repository"
_FILES = {
    "README.md": "README.md",
    ".env.example": "env.example",
    ".gitignore": "gitignore",
    ".gitattributes": "gitattributes",
    ".vscode/extensions.json": "extensions.json",
    ".devcontainer/devcontainer.json": "devcontainer.json",
    ".devcontainer/Dockerfile": "Dockerfile",
    "requirements.txt": "requirements.txt",
}
"""Where each file of the package goes; there no name begins with a dot, so that no tool takes it for its own."""

SCHEMA_FOLDER = ".flowyard/schemas"


@dataclass(frozen=True, slots=True)
class NewRepository:
    """What was written, and the files that stayed as they were, by their place in the folder."""

    folder: Path
    written: tuple[Path, ...]
    kept: tuple[str, ...]


def new_repository(
    folder: Path, files: Mapping[PurePosixPath, bytes], *, force: Collection[str] = (), keep: bool = False
) -> NewRepository:
    """Write the files into a folder, which may have others; with ``keep``, those that are there stay as they are.

    Raises Conflict before anything is written when there is another file that ``force`` does not name.
    """
    wanted = absent_files(folder, files, force) if keep else dict(files)
    written = place_files(folder, wanted, force)
    kept = tuple(name.as_posix() for name in files if name not in wanted)
    return NewRepository(folder, tuple(written), kept)


def repository_files(
    version: str, schemas: Mapping[str, str], patterns: Mapping[str, Sequence[str]]
) -> dict[PurePosixPath, bytes]:
    """The files of a new repository by their place.

    ``version`` is the flowyard that is pinned, ``schemas`` the texts of JSON schemas by their file's name, and
    ``patterns`` the names of files that each is for.
    """
    found = {place: (_SOURCES / source).read_bytes() for place, source in _FILES.items()}
    found["requirements.txt"] = found["requirements.txt"].replace(b"FLOWYARD_VERSION", version.encode())
    found[".vscode/settings.json"] = _editor_settings(patterns)
    found |= {f"{SCHEMA_FOLDER}/{name}": text.encode() for name, text in schemas.items()}
    return {PurePosixPath(place): content for place, content in sorted(found.items())}


def _editor_settings(patterns: Mapping[str, Sequence[str]]) -> bytes:
    settings = {
        "yaml.schemas": {
            f"./{SCHEMA_FOLDER}/{name}": [f"**/{pattern}" for pattern in names] for name, names in patterns.items()
        },
        "yaml.yamlVersion": "1.2",
        "files.associations": {"*.prompty": "markdown", "*.jinja2": "jinja"},
        "files.exclude": {"**/__pycache__": True},
        "python.testing.pytestEnabled": True,
    }
    return (json.dumps(settings, indent=2) + "\n").encode()

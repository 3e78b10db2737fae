"""What a person names as data, found as files: a file, a folder, a pattern of names, or a URL.

Names on this machine are Paths, URLs are texts. Files of a folder or pattern are in the order of their names; hidden
files are no data.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from flowyard._util.redact import HIDDEN
from flowyard._util.suggest import missing_file_hint
from flowyard.errors import UserError
from flowyard.runs.data.files import DataFile, local_file

__all__ = [
    "DataSource",
    "Place",
    "absolute_source",
    "data_exists",
    "data_source",
    "find_place",
    "is_pattern",
    "recorded_source",
    "shown_source",
]

DataSource = Path | str
"""Where data is: the path of a file or folder or a pattern, or the text of a URL."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_LOCAL = ("file", "local")
_SECRET_PARAMETER = re.compile(r"(?i)([^?&#=]*(?:sig|token|key|secret|passw|pwd|credential|auth)[^?&#=]*=)[^&#]*")


@dataclass(frozen=True, slots=True)
class Place:
    """The files of one source. ``is_many`` says that other files than data may be among them.

    ``folder`` is what paths inside the data are relative to, None for what ``is_remote``.
    """

    files: Sequence[DataFile]
    is_many: bool = False
    folder: Path | None = None
    is_remote: bool = False


def data_source(text: DataSource, base: Path | None = None) -> DataSource:
    """What a person wrote, as a source: paths start from ``base`` and may begin with ``~``, file URLs become paths."""
    if isinstance(text, str) and _URL.match(text):
        scheme, _, rest = text.partition("://")
        if scheme.lower() not in _LOCAL:
            return text
        text = rest if Path(rest).exists() else unquote(rest)
    path = Path(text).expanduser()
    return path if base is None else base / path


def absolute_source(text: DataSource) -> DataSource:
    """What a person wrote, as a source that means the same in another working directory."""
    source = data_source(text)
    return source if isinstance(source, str) else source.absolute()


def shown_source(source: DataSource) -> str:
    """The source for messages: a URL without what may be secret in it."""
    if not _is_url(source):
        return str(source)
    parts = urlsplit(str(source))
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def recorded_source(source: DataSource) -> str:
    """The source as a record keeps it: paths absolute, secret parts of a URL hidden."""
    if _is_url(source):
        return _SECRET_PARAMETER.sub(rf"\1{HIDDEN}", str(source))
    path = Path(source)
    return os.path.abspath(path) if is_pattern(path) else str(path.resolve())  # noqa: PTH100 - keeps links in a pattern


def is_pattern(path: Path) -> bool:
    """Whether a path is a pattern of names rather than the name of something that is there."""
    return glob.has_magic(str(path)) and not path.exists()


def data_exists(source: DataSource) -> bool:
    """Whether there is anything at a path or pattern; URLs are believed until they are read."""
    if _is_url(source):
        return True
    path = Path(source)
    return path.exists() or (is_pattern(path) and next(_matches(path), None) is not None)


def find_place(source: DataSource) -> Place:
    """The files at the source. Raises UserError when there are none, OutsideError when a place cannot be reached."""
    source = data_source(source)
    if isinstance(source, str):
        return _remote_place(source)
    # Absolute, because a flow's code may have another working directory while the data is read.
    if source.is_dir():
        folder = source.resolve()
        names = (file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
        return Place([local_file(folder / name, name) for name in visible(names)], is_many=True, folder=folder)
    if source.is_file():
        return Place([local_file(source.absolute())], folder=source.resolve().parent)
    if is_pattern(source):
        return _matching(source)
    raise UserError(f"Data file not found: {source}", hint=missing_file_hint(source))


def visible(names: Iterable[str]) -> list[str]:
    """The names without hidden ones, in order."""
    return sorted(name for name in names if not any(part.startswith(".") for part in name.split("/")))


def _matching(pattern: Path) -> Place:
    plain = Path(*pattern.parts[: _first_magic(pattern)])
    files = sorted({Path(found).relative_to(plain).as_posix() for found in _matches(pattern) if Path(found).is_file()})
    if not files:
        raise UserError(f"No file matches {pattern}.", hint="Quote the pattern; ** goes through folders.")
    folder = plain.resolve()
    return Place([local_file(folder / name, name) for name in files], is_many=True, folder=folder)


def _first_magic(pattern: Path) -> int:
    return next(index for index, part in enumerate(pattern.parts) if glob.has_magic(part))


def _matches(pattern: Path) -> Iterator[str]:
    return glob.iglob(str(pattern), recursive=True)  # noqa: PTH207 - Path.glob enters hidden folders and takes no absolute pattern


def _is_url(source: DataSource) -> bool:
    return isinstance(source, str) and _URL.match(source) is not None


def _remote_place(url: str) -> Place:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise UserError(f"{url.partition('?')[0]} is no address: {error}.") from None
    if HIDDEN in url:
        raise UserError(
            f"The address {shown_source(url)} had a secret in it, which is not kept.", hint="Give it again: --data URL"
        )
    if "@" in parts.netloc and ":" in parts.netloc.rpartition("@")[0]:
        raise UserError(
            f"The address {shown_source(url)} has a password in it, which would be stored with the run.",
            hint="Leave it out; fsspec takes credentials from the environment and from its own configuration files.",
        )
    from flowyard.runs.data import remote  # noqa: PLC0415 - fsspec is for URLs only

    return Place(*remote.find_remote(url), is_remote=True)

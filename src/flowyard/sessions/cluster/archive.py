"""A flow's folder as bytes that travel to other machines, and back as a folder there."""

from __future__ import annotations

import io
import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from flowyard.errors import UserError

__all__ = ["PackedFolder", "pack_folder", "unpack_folder"]

MOST_BYTES = 256 * 1024 * 1024
MOST_FILES = 20_000
_LEFT_OUT = frozenset({".git", ".flowyard", ".promptflow", ".venv", "__pycache__", "node_modules"})
_PERMISSIONS = 0o700
_FIRST_YEAR = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class PackedFolder:
    """A zip archive, and the links that are not in it because they point outside of the folder."""

    data: bytes
    left_out: tuple[str, ...] = ()


def pack_folder(folder: Path, *, most_bytes: int = MOST_BYTES, most_files: int = MOST_FILES) -> PackedFolder:
    """The files below ``folder``, with links that stay inside as links. Links are never followed.

    Raises UserError when there are more than ``most_files`` of them, or more than ``most_bytes`` in all.
    """
    root = folder.resolve()
    left_out: list[str] = []
    buffer = io.BytesIO()
    bytes_left, files_left = most_bytes, most_files
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for path in _entries(root):
            name = path.relative_to(root).as_posix()
            if path.is_symlink() and not path.resolve().is_relative_to(root):
                left_out.append(name)
                continue
            data = _content(path)
            if data is None:
                continue
            bytes_left, files_left = bytes_left - len(data), files_left - 1
            if bytes_left < 0 or files_left < 0:
                raise _too_large(folder, most_bytes, most_files)
            archive.writestr(_entry(path, name), data)
    return PackedFolder(buffer.getvalue(), tuple(left_out))


def _entries(root: Path) -> Iterator[Path]:
    """Everything below but for folders themselves, in a fixed order."""
    for parent, folders, files in os.walk(root):
        here = Path(parent)
        links = [name for name in folders if (here / name).is_symlink()]
        folders[:] = sorted(name for name in folders if name not in _LEFT_OUT and name not in links)
        yield from (here / name for name in sorted([*files, *links]))


def _content(path: Path) -> bytes | None:
    """What the archive holds of a file, or where a link points to; None for what is neither."""
    if path.is_symlink():
        return os.path.relpath(path.resolve(), path.parent).encode()
    return path.read_bytes() if path.is_file() else None


def _entry(path: Path, name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _FIRST_YEAR)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = path.lstat().st_mode << 16
    return entry


def _too_large(folder: Path, most_bytes: int, most_files: int) -> UserError:
    return UserError(
        f"The flow's folder {folder} is too large to be sent to a cluster: more than {most_files:,} files or "
        f"{most_bytes // (1024 * 1024):,} MB.",
        hint="Keep data and environments outside of the flow's folder.",
    )


def unpack_folder(data: bytes, folder: Path, *, most_bytes: int = MOST_BYTES, most_files: int = MOST_FILES) -> None:
    """Unpack into ``folder``, which only the owner can read.

    Raises UserError for what points outside of it, is larger or has more files than may be, or is no archive.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    root = folder.resolve()
    links: list[tuple[Path, str]] = []
    bytes_left = most_bytes
    with _opened(data) as archive:
        if len(archive.infolist()) > most_files:
            raise UserError("The archive of the flow's folder holds more files than a flow's folder may.")
        for entry in archive.infolist():
            path = _inside(root, entry.filename)
            bytes_left -= entry.file_size  # reading fails when a file is longer than it says
            if bytes_left < 0:
                raise UserError("The archive of the flow's folder is larger than a flow's folder may be.")
            content = _read(archive, entry)
            mode = entry.external_attr >> 16
            if stat.S_ISLNK(mode):
                links.append((path, content.decode()))
                continue
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.write_bytes(content)
            path.chmod(0o600 | (mode & _PERMISSIONS))
    for path, target in links:  # last, so that no file is written through one of them
        _link(root, path, target)


def _opened(data: bytes) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        raise UserError("The archive of the flow's folder is damaged.") from None


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    try:
        return archive.read(entry)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
        raise UserError("The archive of the flow's folder is damaged.") from None


def _inside(root: Path, name: str) -> Path:
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or "\\" in name or ".." in parts or ":" in parts[0] or name.endswith("/"):
        raise UserError(f"The archive of the flow's folder holds an unsafe path: {name!r}.")
    return root.joinpath(*parts)


def _link(root: Path, path: Path, target: str) -> None:
    aim = Path(os.path.normpath(path.parent / target))
    if Path(target).is_absolute() or not aim.is_relative_to(root):
        raise UserError(f"The archive of the flow's folder holds an unsafe link: {path.name!r}.")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.symlink_to(target)

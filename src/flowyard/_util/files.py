"""Files that are either whole or absent, and JSON that always has a text."""

from __future__ import annotations

import dataclasses
import json
import os
import stat
import tempfile
from pathlib import Path
from typing import Any

__all__ = ["append_all", "dump_json", "write_atomic"]

_DEVICES = (Path("/dev"), Path("/dev/fd"))


def write_atomic(path: Path, content: str | bytes, *, mode: int = 0o644, durable: bool = True) -> None:
    """Write a file so that a reader, or a crash at any instant, sees the old file or the new one; text as UTF-8.

    ``mode`` is its permission bits; until it has its name, nobody but the owner can read it. One that is not
    ``durable`` need not outlive a crash of the machine, which makes writing it quicker. A pipe or a device, such as
    ``/dev/stdout``, is written to: in its place, a file would be in everybody's way.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    if _is_stream(path):
        with path.open("ab") as stream:  # behind /dev/stdout may be a file with what others wrote
            stream.write(data)
        return
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _is_stream(path: Path) -> bool:
    if path.parent in _DEVICES:
        return True
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return stat.S_ISCHR(mode) or stat.S_ISFIFO(mode)


def append_all(path: Path, data: bytes, *, durable: bool) -> None:
    """Add data to the end of a file, all of it or nothing; if ``durable``, it outlives a crash of the machine.

    Raises OSError. Not buffered: a buffer that could not be written is written again when its file is closed.
    """
    with path.open("ab", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        try:
            left = memoryview(data)
            while left:
                left = left[file.write(left) or 0 :]
            if durable:
                os.fsync(file.fileno())
        except OSError:
            file.truncate(size)
            raise


def dump_json(value: Any, *, indent: int | None = None) -> str:
    """JSON text of any value, always valid UTF-8; what JSON has no word for becomes its mapping, list or ``str``."""
    text = json.dumps(value, ensure_ascii=False, default=_plain, indent=indent)
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair: JSON can say it in ASCII only
        return json.dumps(value, default=_plain, indent=indent)
    return text


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: getattr(value, item.name) for item in dataclasses.fields(value)}
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    if hasattr(value, "item") and callable(value.item) and getattr(value, "shape", None) == ():
        return value.item()
    if hasattr(value, "tolist"):
        return value.tolist()
    return str(value)

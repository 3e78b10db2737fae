"""One data file as a stream of bytes, wherever it is and however it is compressed."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from flowyard.errors import ExtraMissing, OutsideError, UserError

__all__ = ["COMPRESSIONS", "BrokenData", "DataFile", "line_chunks", "local_file"]

_BUFFER = 256 * 1024
_CHUNK = 1024 * 1024
_PACKED = 4 * 1024  # Zstandard gives all of it at once, up to 32,000 times as much
_UNPACKED_FREELY = 64 * 1024 * 1024
_LARGEST_RATIO = 500
"""What is made to unpack without end has a ratio of a thousand and more; rows that repeat each other stay far below."""


class BrokenData(Exception):
    """The rest of a compressed file cannot be unpacked; what came before it is sound."""


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file of data. ``name`` is how rows and messages name it; its endings say form and compression.

    ``open_raw`` opens the bytes as they are stored, seekable. ``path`` is where they are on this machine, if they are.
    ``identity`` is what a remote place says that tells one content from another. ``keep`` holds a copy on disk.
    """

    name: str
    open_raw: Callable[[], io.BufferedReader]
    path: Path | None = None
    identity: Callable[[], str] | None = None
    keep: object = None

    @property
    def compression(self) -> str | None:
        """The ending that says how the file is compressed, None for a plain one."""
        ending = PurePosixPath(self.name).suffix.lower()
        return ending if ending in COMPRESSIONS else None

    @property
    def form(self) -> str:
        """The ending that says in which form the rows are; empty when there is none."""
        name = PurePosixPath(self.name)
        return (name.with_suffix("") if self.compression else name).suffix.lower()

    @contextmanager
    def open(self) -> Iterator[io.BufferedReader]:
        """The unpacked bytes. Reading raises BrokenData, and OutsideError when what is remote cannot be had."""
        with ExitStack() as stack:
            raw = stack.enter_context(self.open_raw())
            if self.compression is None:
                yield raw
            else:
                unpacked = stack.enter_context(COMPRESSIONS[self.compression](self.name, raw))
                yield stack.enter_context(io.BufferedReader(_Unpacked(unpacked, raw), _BUFFER))


def local_file(
    path: Path, name: str | None = None, identity: Callable[[], str] | None = None, keep: object = None
) -> DataFile:
    """A file on this machine."""

    def open_raw() -> io.BufferedReader:
        try:
            return io.BufferedReader(io.FileIO(path), _BUFFER)
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror}.") from None

    return DataFile(name or path.name, open_raw, path, identity, keep)


def line_chunks(stream: io.BufferedReader) -> Iterator[bytes]:
    """The bytes in large pieces, each of which ends where a line ends, or where the stream does."""
    parts: list[bytes] = []
    while data := stream.read1(_CHUNK):  # never more than one read, so that nothing is lost
        cut = data.rfind(b"\n") + 1
        if cut:
            yield b"".join([*parts, data[:cut]])
            parts = []
        parts.append(data[cut:])
    if rest := b"".join(parts):
        yield rest


class _Unpacked(io.RawIOBase):
    """Gives out what was unpacked at once, so that all that comes before a broken place is read."""

    def __init__(self, source: Any, packed: io.BufferedReader) -> None:
        self._source = source
        self._packed = packed
        self._given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._source.read1(len(buffer))
        except OutsideError:
            raise
        except (EOFError, OSError, zlib.error, lzma.LZMAError) as error:
            raise BrokenData(f"The rest of the file cannot be unpacked: {error}.") from None
        self._given += len(data)
        if self._given > _UNPACKED_FREELY and self._given > _LARGEST_RATIO * self._packed.tell():
            raise BrokenData(f"It unpacks to more than {_LARGEST_RATIO} times its size, as no data does.")
        buffer[: len(data)] = data
        return len(data)


class _Zstandard:
    """Zstandard frames one after another. The library's own reader takes a cut-off frame for a whole one."""

    def __init__(self, name: str, raw: io.BufferedReader) -> None:
        try:
            import zstandard  # noqa: PLC0415 - optional
        except ImportError:
            raise ExtraMissing(f"Reading {name} takes zstandard.", hint="pip install 'flowyard[zstd]'") from None
        self._library = zstandard
        self._raw = raw
        self._frame: Any = None
        self._packed = b""
        self._ready = memoryview(b"")

    def read1(self, size: int) -> memoryview:
        while not self._ready:
            self._packed = self._packed or self._raw.read(_PACKED)
            if not self._packed:
                if self._frame is not None:
                    raise EOFError("Compressed file ended before the end-of-stream marker was reached")
                return self._ready
            self._ready = memoryview(self._unpack())
        given, self._ready = self._ready[:size], self._ready[size:]
        return given

    def _unpack(self) -> bytes:
        self._frame = self._frame or self._library.ZstdDecompressor().decompressobj()
        try:
            data: bytes = self._frame.decompress(self._packed)
        except self._library.ZstdError as error:
            raise OSError(str(error)) from None
        self._packed = b""
        if self._frame.eof:
            self._packed, self._frame = self._frame.unused_data, None
        return data

    def __enter__(self) -> _Zstandard:
        return self

    def __exit__(self, *_: object) -> None:
        """The raw file is closed by who opened it."""


COMPRESSIONS: Mapping[str, Callable[[str, io.BufferedReader], Any]] = {
    ".gz": lambda _, raw: gzip.GzipFile(fileobj=raw, mode="rb"),
    ".bz2": lambda _, raw: bz2.BZ2File(raw),
    ".xz": lambda _, raw: lzma.LZMAFile(raw),  # noqa: SIM115 - whoever asks for it closes it
    ".zst": _Zstandard,
}
"""How compressed files are unpacked, by their ending."""

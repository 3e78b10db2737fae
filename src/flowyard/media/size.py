"""How large a picture is, read from its first bytes."""

from __future__ import annotations

import struct

__all__ = ["picture_size"]

_JPEG_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""The markers of JPEG segments that hold the size."""


def picture_size(data: bytes) -> tuple[int, int] | None:
    """Width and height in pixels of a PNG, GIF, JPEG, WebP or BMP; None for other kinds and for damaged files."""
    try:
        if data.startswith(b"\x89PNG"):
            return _ints(">II", data, 16)
        if data.startswith(b"GIF8"):
            return _ints("<HH", data, 6)
        if data.startswith(b"BM"):
            width, height = _ints("<ii", data, 18)
            return width, abs(height)
        if data.startswith(b"\xff\xd8"):
            return _jpeg(data)
        return _webp(data) if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else None
    except struct.error:
        return None


def _ints(form: str, data: bytes, offset: int) -> tuple[int, int]:
    first, second = struct.unpack_from(form, data, offset)
    return first, second


def _jpeg(data: bytes) -> tuple[int, int]:
    offset = 2
    while True:
        fence, marker, length = struct.unpack_from(">BBH", data, offset)
        if fence != 0xFF or length < 2:
            raise struct.error("no segment")
        if marker in _JPEG_SIZES:
            height, width = _ints(">HH", data, offset + 5)
            return width, height
        offset += 2 + length


def _webp(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8 ":
        width, height = _ints("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X" and len(data) >= 30:
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    return None

"""The size of pictures by their first bytes."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import GIF, JPEG, PNG

from flowyard.media import picture_size

RIFF = b"RIFF\x00\x00\x00\x00WEBP"
PICTURES = {
    "png": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">II", 300, 200),
    "gif": b"GIF89a" + struct.pack("<HH", 300, 200),
    "bmp": b"BM" + bytes(16) + struct.pack("<ii", 300, -200),
    "jpeg": b"\xff\xd8\xff\xe0\x00\x04ab\xff\xc4\x00\x02\xff\xc2\x00\x0b\x08" + struct.pack(">HH", 200, 300),
    "webp lossy": RIFF + b"VP8 " + bytes(10) + struct.pack("<HH", 300, 200),
    "webp lossless": RIFF + b"VP8L" + bytes(4) + b"\x2f" + struct.pack("<I", 299 | 199 << 14),
    "webp extended": RIFF + b"VP8X" + bytes(8) + (299).to_bytes(3, "little") + (199).to_bytes(3, "little"),
}


@pytest.mark.parametrize("kind", PICTURES)
def test_sizes(kind: str) -> None:
    assert picture_size(PICTURES[kind]) == (300, 200)


@pytest.mark.parametrize("kind", PICTURES)
def test_a_cut_off_picture_has_none(kind: str) -> None:
    assert picture_size(PICTURES[kind][:-1]) is None


@given(st.sampled_from([b"", *PICTURES.values()]), st.binary(max_size=60))
def test_any_bytes_are_let_pass(start: bytes, rest: bytes) -> None:
    size = picture_size(start[:12] + rest)
    assert size is None or len(size) == 2


def test_real_pictures_have_one() -> None:
    assert picture_size(PNG) == picture_size(GIF) == (1, 1)
    assert picture_size(JPEG) is None  # this sample ends before its size

from __future__ import annotations

import base64
import copy
import pickle
from pathlib import Path

import pytest
from pictures import GIF, JPEG, PNG, png

from flowyard.media import Image, PFBytes, Text


def test_an_image_is_its_bytes():
    image = Image(PNG)
    assert image == PNG
    assert hash(image) == hash(PNG)
    assert {image, Image(PNG, "image/gif")} == {PNG}
    assert isinstance(image, PFBytes)


def test_its_name_is_short_stable_and_shows_no_bytes():
    names = {str(Image(PNG)), repr(Image(PNG, "image/x")), f"{Image(PNG, source_url='http://x')}"}
    assert names == {"Image(" + str(Image(PNG))[6:14] + ")"}
    assert str(Image(PNG)) != str(Image(png(1)))
    assert str(Image(b"abc")) == "Image(a9993e36)"  # the name that prompt flow gives these bytes


@pytest.mark.parametrize(
    ("data", "mime"),
    [
        (PNG, "image/png"),
        (JPEG, "image/jpeg"),
        (GIF, "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"\x00\x00\x00\x1cftypavif\x00\x00\x00\x00", "image/avif"),
        (b"<?xml version='1.0'?>\n<svg xmlns='x'/>", "image/svg+xml"),
        (b" <svg/>", "image/svg+xml"),
        (b"<?xml version='1.0'?><html/>", "image/*"),
        (b"RIFF\x00\x00\x00\x00WAVE", "image/*"),
        (b"", "image/*"),
    ],
)
def test_the_type_is_read_from_the_first_bytes(data: bytes, mime: str):
    assert Image(data)._mime_type == mime
    assert Image(data, "IMAGE/Bmp")._mime_type == "image/bmp"


def test_base64_in_three_shapes():
    text = base64.b64encode(PNG).decode()
    image = Image(PNG)
    assert image.to_base64() == text
    assert image.to_base64(with_type=True) == image.data_uri == f"data:image/png;base64,{text}"
    assert image.to_base64(with_type=True, dict_type=True) == {"data:image/png;base64": text}


def test_from_files_and_base64(tmp_path: Path):
    (tmp_path / "a").write_bytes(JPEG)
    assert Image.from_file(tmp_path / "a") == JPEG
    assert Image.from_file(tmp_path / "a", "image/png")._mime_type == "image/png"
    text = base64.b64encode(b"abc").decode()
    assert Image.from_base64(f"data:image/x-odd;base64,{text}")._mime_type == "image/x-odd"
    assert Image.from_base64(base64.b64encode(PNG).decode())._mime_type == "image/png"
    assert Image.from_base64(" YW\nJj ") == b"abc"
    for wrong in ("YWJ", "a,b", "data:text/plain;base64,YWJj", "äöü="):
        with pytest.raises(ValueError, match="it is "):
            Image.from_base64(wrong)


def test_copies_keep_what_the_bytes_do_not_say():
    image = Image(b"abc", "image/png", "https://example.com/a")
    for twin in (copy.deepcopy(image), pickle.loads(pickle.dumps(image))):
        assert (twin, twin._mime_type, twin.source_url) == (b"abc", "image/png", "https://example.com/a")
        assert type(twin) is Image


def test_serialize_as_flow_code_calls_it():
    assert Image(b"abc").serialize() == "Image(a9993e36)"
    assert Image(b"abc").serialize(len) == 3


@pytest.mark.parametrize(
    ("data", "text", "annotations"),
    [
        ({"type": "text", "text": "hi"}, "hi", None),
        ({"type": "text", "text": {"value": "hi"}}, "hi", []),
        ({"type": "text", "text": {"value": "hi", "annotations": [1]}}, "hi", [1]),
    ],
)
def test_texts_keep_their_annotations(data: dict, text: str, annotations: list | None):
    made = Text.deserialize(data)
    assert (made, made._annotations) == (text, annotations)
    assert Text.deserialize(made.serialize()) == text
    assert Text.deserialize(made.serialize())._annotations == annotations

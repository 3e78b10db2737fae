from __future__ import annotations

import asyncio
import base64
import json
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import GIF, JPEG, PNG

from flowyard.errors import UserError
from flowyard.media import MESSAGE_FORMATS, Image, MediaWriter, Text, UrlRules, as_base64, dump_media, load_media

UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def test_pictures_become_files_beside_the_result(tmp_path: Path):
    folder = tmp_path / "run" / "media"
    value = {"a": [Image(PNG), "text"], "b": {"c": (Image(JPEG),)}, "n": 1}
    dumped = dump_media(value, MediaWriter(folder, "basic", relative=True))
    (name,) = dumped["a"][0].values()
    assert re.fullmatch(UUID + r"\.png", name)
    assert (folder / name).read_bytes() == PNG
    assert list(dumped["b"]["c"][0]) == ["data:image/jpeg;path"]
    assert sorted(file.suffix for file in folder.iterdir()) == [".jpeg", ".png"]
    assert isinstance(value["a"][0], Image)
    json.dumps(dumped)


def test_paths_are_absolute_or_relative_to_a_base(tmp_path: Path):
    folder = tmp_path / "run" / "output"
    absolute = dump_media(Image(PNG), MediaWriter(folder, "openai-vision", relative=False))
    assert Path(absolute["image_file"]["path"]).is_absolute()
    assert Path(absolute["image_file"]["path"]).read_bytes() == PNG
    based = dump_media(Image(PNG), MediaWriter(folder, relative=True, base=tmp_path / "run"))
    assert re.fullmatch(rf"output/{UUID}\.png", based["data:image/png;path"])


def test_a_picture_is_written_once_and_an_address_is_kept(tmp_path: Path):
    writer = MediaWriter(tmp_path / "media", "basic", relative=True)
    url = "https://example.com/a.png"
    assert dump_media(Image(PNG, source_url=url), writer) == {"data:image/png;url": url}
    assert not (tmp_path / "media").exists()
    first, second, third = dump_media([Image(PNG), Image(PNG), Image(PNG, "image/webp")], writer)
    assert first == second
    assert list(third.values()) != list(first.values())
    vision = dump_media(Image(PNG, source_url=url), MediaWriter(tmp_path, "openai-vision", relative=True))
    assert vision == {"type": "image_url", "image_url": {"url": url}}


@pytest.mark.parametrize(
    ("mime", "data", "extension"),
    [
        ("image/svg+xml", b"x", ".svg"),
        ("image/*", b"x", ""),
        ("image/*", GIF, ".gif"),
        ("image/../../../x", b"x", ""),
        ("image/html", b"x", ""),
        ("text/x.sh", b"x", ""),
    ],
)
def test_a_file_name_takes_nothing_from_the_data(tmp_path: Path, mime: str, data: bytes, extension: str):
    dump_media(Image(data, mime), MediaWriter(tmp_path / "media", "basic", relative=True))
    (file,) = (tmp_path / "media").iterdir()
    assert re.fullmatch(UUID + re.escape(extension), file.name)
    assert file.read_bytes() == data


def test_texts_are_maps_in_their_format_only(tmp_path: Path):
    value = [Text("hi"), Text("hi", [1]), "hi"]
    assert dump_media(value, MediaWriter(tmp_path, "basic")) == ["hi", "hi", "hi"]
    assert dump_media(value, MediaWriter(tmp_path, "openai-vision")) == [
        {"type": "text", "text": "hi"},
        {"type": "text", "text": {"value": "hi", "annotations": [1]}},
        "hi",
    ]


def test_answers_over_http_hold_the_picture_itself():
    text = base64.b64encode(PNG).decode()
    value = {"a": [Image(PNG, source_url="https://example.com/a.png")], "t": Text("hi")}
    assert as_base64(value, "basic") == {"a": [{"data:image/png;base64": text}], "t": "hi"}
    vision = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{text}"}}
    assert as_base64(value, "openai-vision") == {"a": [vision], "t": "hi"}
    plain = {"a": [1]}
    assert as_base64(plain) is plain


def test_an_unknown_format_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match="no message format 'openai_vision'") as caught:
        MediaWriter(tmp_path, "openai_vision")
    assert caught.value.hint == "Did you mean 'openai-vision'?"


_pictures = st.builds(
    Image,
    st.sampled_from([PNG, GIF, JPEG]) | st.binary(min_size=1, max_size=20).map(PNG.__add__),
)
_leaves = _pictures | st.text(max_size=5) | st.integers() | st.none() | st.booleans()
_values = st.recursive(
    _leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)


def described(value: Any) -> Any:
    """The value with each picture as its bytes and type, so that nothing else compares equal."""
    if isinstance(value, Image):
        return "picture", bytes(value), value._mime_type
    if isinstance(value, list):
        return [described(item) for item in value]
    return {key: described(item) for key, item in value.items()} if isinstance(value, dict) else value


@given(
    value=_values,
    form=st.sampled_from(sorted(MESSAGE_FORMATS)),
    way=st.sampled_from(["relative", "absolute", "base64"]),
)
def test_what_is_written_is_read_back(value: Any, form: str, way: str):
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        writer = MediaWriter(folder, form, relative=way == "relative")
        dumped = as_base64(value, form) if way == "base64" else dump_media(value, writer)
        stored = json.loads(json.dumps(dumped))
        loaded = asyncio.run(load_media(stored, folder=folder, urls=UrlRules(), format=form))
    assert described(loaded) == described(value)

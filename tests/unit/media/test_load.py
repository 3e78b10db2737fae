from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from pictures import GIF, JPEG, PNG

from flowyard.errors import UserError
from flowyard.media import Image, Text, UrlRules, load_media, prompty_image

B64 = base64.b64encode(PNG).decode()
URLS = UrlRules()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "cat.png").write_bytes(PNG)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "dogs").write_bytes(JPEG)
    (tmp_path / "data" / "cat").write_bytes(GIF)  # as text, this path is valid base64
    (tmp_path / "odd.png").write_bytes(b"not known by its bytes")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "secret.env").write_text("KEY=1")
    return tmp_path


@pytest.mark.parametrize(
    ("value", "data", "mime"),
    [
        ({"data:image/png;path": "cat.png"}, PNG, "image/png"),
        ({"data:image/GIF;path": "cat.png"}, PNG, "image/gif"),
        ({"data:image/*;path": "./data/../cat.png"}, PNG, "image/*"),
        ({"data:image/;base64": B64}, PNG, "image/*"),
        ({"data:image/jpeg;base64": f"data:image/png;base64,{B64}"}, PNG, "image/jpeg"),
        ({"data:image/png;base64": B64[:20] + "\n" + B64[20:] + "\n"}, PNG, "image/png"),
        ({"data:image/png;path": "odd.png"}, b"not known by its bytes", "image/png"),
        ({"type": "image_url", "image_url": {"url": f"data:image/x;base64,{B64}"}}, PNG, "image/png"),
        ({"type": "image_url", "image_url": {"url": "data:image/x;base64,YWJj", "detail": "low"}}, b"abc", "image/x"),
        ({"type": "image_url", "image_url": {"url": B64}}, PNG, "image/png"),
        ({"type": "image_file", "image_file": {"path": "data/dogs"}}, JPEG, "image/jpeg"),
    ],
)
@pytest.mark.parametrize("as_image", [True, False])
async def test_image_maps(folder: Path, value: Any, data: bytes, mime: str, as_image: bool):
    image = await load_media(value, folder=folder, urls=URLS, as_image=as_image)
    assert (type(image), image, image._mime_type, image.source_url) == (Image, data, mime, None)


async def test_maps_are_found_inside_lists_and_objects_and_the_rest_is_left_alone(folder: Path):
    untouched = {
        "text": ["data:image/png;path: cat.png", "cat.png", 1, None],
        "two": {"data:image/png;path": 1, "b": 2},
    }
    value = {"a": [{"data:image/png;path": "cat.png"}, "look"], "b": ({"type": "text", "text": "hi"},), "c": untouched}
    loaded = await load_media(value, folder=folder, urls=URLS)
    assert loaded["a"] == [PNG, "look"]
    assert isinstance(loaded["b"][0], Text)
    assert loaded["c"] is untouched
    assert value["a"][0] == {"data:image/png;path": "cat.png"}
    assert await load_media(untouched, folder=folder, urls=URLS) is untouched


@pytest.mark.parametrize(
    "value",
    [
        {"data:image/png;file": "x"},
        {"data:text/plain;path": "x"},
        {"xdata:image/png;path": "x"},
        {1: 2},
        {},
        {"type": "image_url", "image_url": "x"},
        {"type": "image_url", "image_url": {"path": "x"}},
        {"type": "image_file", "image_file": {"file_id": "x"}},
        {"type": "text", "text": 5},
        {"type": ["text"], "text": "x"},
        {"type": "text", "text": "x", "more": 1},
    ],
)
async def test_other_maps_are_data(folder: Path, value: Any):
    assert await load_media(value, folder=folder, urls=URLS) is value


async def test_with_a_format_only_its_maps_are_read(folder: Path):
    basic, vision = {"data:image/png;path": "cat.png"}, {"type": "text", "text": "hi"}
    assert await load_media([basic, vision], folder=folder, urls=URLS, format="basic") == [PNG, vision]
    assert await load_media([basic, vision], folder=folder, urls=URLS, format="OpenAI-Vision") == [basic, "hi"]
    with pytest.raises(UserError, match="no message format 'openai'") as caught:
        await load_media(basic, folder=folder, urls=URLS, format="openai")
    assert caught.value.hint is not None


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("cat.png", PNG),
        ("data/dogs", JPEG),
        ("data/cat", GIF),
        (B64, PNG),
        (f"data:image/png;base64,{B64}", PNG),
        ("data/dog", base64.b64decode("data/dog")),
    ],
)
async def test_bare_strings_are_files_first_then_base64(folder: Path, text: str, data: bytes):
    assert await load_media(text, folder=folder, urls=URLS, as_image=True) == data
    assert await load_media(text, folder=folder, urls=URLS) == text


async def test_absolute_paths_and_pictures_and_lists_of_them(folder: Path):
    picture = Image(GIF)
    value = [str(folder / "cat.png"), picture, {"data:image/png;path": "cat.png"}]
    loaded = await load_media(value, folder=folder, urls=URLS, as_image=True)
    assert loaded == [PNG, GIF, PNG]
    assert loaded[1] is picture


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("", "a picture is needed, not an empty string"),
        (None, "a picture is needed, not NoneType"),
        (5, "a picture is needed, not int"),
        ({"a": 1}, "a picture is needed, not another map"),
        ({"type": "text", "text": "x"}, "a picture is needed, not another map"),
        ("dog.png", "there is no picture file 'dog.png'"),
        ("a\x00b", "there is no picture file"),
        ("x!" * 5000, "the picture file .* cannot be read: OSError"),
        ("secret.env", "is not a picture, by its first bytes or by its extension"),
        ("empty.png", "the picture is empty"),
        ("ftp://example.com/a.png", "a complete http or https address"),
        ("file:///etc/passwd", "there is no picture file"),
        ({"data:image/png;path": "."}, "there is no picture file"),
        ({"data:image/png;path": "/dev/zero"}, "there is no picture file"),
        ({"data:image/png;path": "secret.env"}, "is not a picture"),
        ({"data:image/png;path": 5}, "the path of a picture must be text that is not empty, not 5"),
        ({"data:image/png;base64": ""}, "the base64 of a picture must be text"),
        ({"data:image/png;base64": "YWJ"}, "'YWJ' cannot be read as a picture: it is not base64"),
        ({"data:image/png;url": "cat.png"}, "a complete http or https address"),
        ({"data:image/png;url": "http://[::1"}, "a complete http or https address"),
        ({"type": "image_url", "image_url": {"url": 7}}, "the url of a picture must be text"),
    ],
)
async def test_what_is_no_picture_names_the_input(folder: Path, value: Any, message: str):
    with pytest.raises(UserError, match=rf"^Input 'photo': .*{message}"):
        await load_media(value, folder=folder, urls=URLS, as_image=True, name="photo")


async def test_the_place_inside_the_value_is_named(folder: Path):
    value = {"pets": [{"data:image/png;path": "cat.png"}, {"data:image/png;path": "dog.png"}]}
    with pytest.raises(UserError, match=r"^Input 'album\.pets\[1\]': there is no picture file 'dog\.png'") as caught:
        await load_media(value, folder=folder, urls=URLS, name="album")
    assert caught.value.hint == f"Relative paths start from {folder}."


async def test_a_link_does_not_make_a_file_a_picture(folder: Path):
    (folder / "link.png").symlink_to(folder / "secret.env")
    with pytest.raises(UserError, match="is not a picture"):
        await load_media("link.png", folder=folder, urls=URLS, as_image=True)


async def test_without_a_folder_paths_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(folder)
    for value in ("cat.png", str(folder / "cat.png"), {"data:image/png;path": "cat.png"}):
        with pytest.raises(UserError, match="paths are not accepted here"):
            await load_media(value, folder=None, urls=URLS, as_image=True)
    assert await load_media(B64, folder=None, urls=URLS, as_image=True) == PNG


async def test_pictures_have_a_limit_alone_and_together(folder: Path):
    small = UrlRules(max_bytes=len(PNG))
    assert await load_media("cat.png", folder=folder, urls=small, as_image=True) == PNG
    smaller = UrlRules(max_bytes=len(PNG) - 1)
    for value in ("cat.png", B64):
        with pytest.raises(UserError, match=f"larger than the limit of {len(PNG) - 1} bytes"):
            await load_media(value, folder=folder, urls=smaller, as_image=True)
    with pytest.raises(UserError, match="together larger"):
        await load_media(["cat.png"] * 30, folder=folder, urls=small, as_image=True)


async def test_deep_nesting_is_an_error_of_the_value(folder: Path):
    value: Any = "x"
    for _ in range(100_000):
        value = [value]
    with pytest.raises(UserError, match="nested too deeply"):
        await load_media(value, folder=folder, urls=URLS, name="deep")


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("data:image/png;path: cat.png", PNG),
        ("data:image/png;path:cat.png\n", PNG),
        (f"data:image/jpeg;base64: {B64}", PNG),
        (f"data:image/png;base64: data:image/png;base64,{B64}", PNG),
    ],
)
async def test_the_string_form_of_prompty(folder: Path, text: str, data: bytes):
    image = await prompty_image(text, folder, URLS)
    assert image == data
    assert image._mime_type == text[5:].partition(";")[0]


@pytest.mark.parametrize(
    "value", ["hello", "look: data:image/png;path: cat.png", "data:image/png;base64,AAAA", "", None, 5, {"a": 1}]
)
async def test_other_values_of_prompty_stay(folder: Path, value: Any):
    assert await prompty_image(value, folder, URLS) is value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("data:image/png;path: dog.png", "there is no picture file"),
        ("data:image/png;base64: ?", "it is not base64"),
        ("data:image/png;url: cat.png", "http or https"),
        ("data:image/png;path: ", "must be text that is not empty"),
    ],
)
async def test_a_prompty_string_that_leads_nowhere(folder: Path, text: str, message: str):
    with pytest.raises(UserError, match=f"^Input 'img': .*{message}"):
        await prompty_image(text, folder, URLS, name="img")

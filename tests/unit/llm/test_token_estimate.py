"""Token estimates; a small stand-in takes the place of the tiktoken package, whose tables have to be downloaded."""

from __future__ import annotations

import base64
import struct
import sys
from types import ModuleType
from typing import Any

import pytest

from flowyard.errors import ExtraMissing, OutsideError
from flowyard.llm.token_estimate import estimate_tokens
from flowyard.media import Image


class Words:
    """An encoding with one token for each word."""

    def encode(self, text: str, **_: Any) -> list[int]:
        return [0] * len(text.split())


@pytest.fixture
def tiktoken(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType("tiktoken")
    module.asked = []  # type: ignore[attr-defined]

    def encoding_for_model(model: str) -> Words:
        if model != "gpt-4":
            raise KeyError(model)
        return Words()

    def get_encoding(name: str) -> Words:
        module.asked.append(name)
        return Words()

    module.encoding_for_model = encoding_for_model  # type: ignore[attr-defined]
    module.get_encoding = get_encoding  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tiktoken", module)
    return module


def picture(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">II", width, height)


def shown(url: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]


def test_messages_and_names_have_a_price(tiktoken: ModuleType) -> None:
    assert estimate_tokens("one two three", "gpt-4") == 3
    assert estimate_tokens([{"role": "user", "content": "one two"}], "gpt-4") == 3 + 3 + 1 + 2
    named = [{"role": "system", "content": "x"}, {"role": "user", "name": "bob", "content": "one"}]
    assert estimate_tokens(named, "gpt-4") == 3 + (3 + 2) + (3 + 1 + 3)
    parts = [{"role": "user", "content": [{"type": "text", "text": "one two"}, {"type": "other"}]}]
    assert estimate_tokens(parts, "gpt-4") == 3 + 3 + 1 + 2
    assert tiktoken.asked == []


def test_a_deployment_of_any_name_is_counted_with_the_usual_table(tiktoken: ModuleType) -> None:
    assert estimate_tokens("one two", "my-deployment") == 2
    assert tiktoken.asked == ["cl100k_base"]


@pytest.mark.parametrize(
    ("size", "tiles"), [((1, 1), 1), ((512, 513), 2), ((1024, 1024), 4), ((4096, 2048), 6), ((2048, 4096), 6)]
)
def test_pictures_are_counted_by_tiles(tiktoken: ModuleType, size: tuple[int, int], tiles: int) -> None:
    data = picture(*size)
    inline = f"data:image/png;base64,{base64.b64encode(data).decode()}"
    assert estimate_tokens(shown(inline), "gpt-4") == 3 + 3 + 1 + 85 + 170 * tiles
    address = "https://example.com/a.png"
    images = {address: Image(data, source_url=address)}
    assert estimate_tokens(shown(address), "gpt-4", images) == 3 + 3 + 1 + 85 + 170 * tiles


@pytest.mark.parametrize("url", ["https://example.com/unknown.png", "data:image/png;base64,!", "data:,AAAA"])
def test_a_picture_of_unknown_size_counts_as_a_square(tiktoken: ModuleType, url: str) -> None:
    assert estimate_tokens(shown(url), "gpt-4") == 3 + 3 + 1 + 85 + 170 * 4


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tiktoken", None)
    with pytest.raises(ExtraMissing, match="needs the package tiktoken") as caught:
        estimate_tokens("x", "gpt-4")
    assert "flowyard[tokens]" in str(caught.value.hint)


def test_without_the_table(tiktoken: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(model: str) -> Words:
        raise ConnectionError(f"https://somewhere/{model}")

    monkeypatch.setattr(tiktoken, "encoding_for_model", offline)
    with pytest.raises(OutsideError, match="table of tokens for 'gpt-4' cannot be downloaded") as caught:
        estimate_tokens("x", "gpt-4")
    assert "TIKTOKEN_CACHE_DIR" in str(caught.value.hint)

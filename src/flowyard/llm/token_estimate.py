"""How many tokens a prompt will cost, counted with the ``tiktoken`` package."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from flowyard.errors import ExtraMissing, OutsideError
from flowyard.media import Image, picture_size

__all__ = ["estimate_tokens"]

_PER_MESSAGE, _PER_NAME, _PER_REPLY = 3, 1, 3
_PER_PICTURE, _PER_TILE, _TILE = 85, 170, 512
_LONGEST_SIDE, _SHORTER_SIDE = 2048, 768
_UNKNOWN_SIZE = (1024, 1024)
_OTHER_MODELS = "cl100k_base"


def estimate_tokens(
    prompt: str | Sequence[Mapping[str, Any]], model: str, pictures: Mapping[str, Image] | None = None
) -> int:
    """The tokens of a text, or of chat messages with what the protocol adds to each.

    ``pictures`` are those that messages name by their URL. Raises ExtraMissing without ``tiktoken``, and OutsideError
    when its table for the model is neither on this machine nor to be downloaded.
    """
    encoding = _encoding(model)
    if isinstance(prompt, str):
        return _text_tokens(prompt, encoding)
    return _PER_REPLY + sum(_message_tokens(message, encoding, pictures or {}) for message in prompt)


def _encoding(model: str) -> Any:
    try:
        tiktoken = import_module("tiktoken")
    except ImportError:
        message = "Counting tokens needs the package tiktoken."
        raise ExtraMissing(message, hint="pip install 'flowyard[tokens]'") from None
    try:
        try:
            return tiktoken.encoding_for_model(model)
        except KeyError:  # an Azure deployment may be called anything
            return tiktoken.get_encoding(_OTHER_MODELS)
    except Exception as error:  # whatever the HTTP library below it raises
        hint = "Count once while online, with TIKTOKEN_CACHE_DIR set to a folder to keep."
        message = f"The table of tokens for {model!r} cannot be downloaded: {type(error).__name__}."
        raise OutsideError(message, hint=hint) from None


def _text_tokens(text: str, encoding: Any) -> int:
    return len(encoding.encode(text, disallowed_special=()))


def _message_tokens(message: Mapping[str, Any], encoding: Any, pictures: Mapping[str, Image]) -> int:
    count = _PER_MESSAGE + (_PER_NAME if "name" in message else 0)
    for value in message.values():
        if isinstance(value, str):
            count += _text_tokens(value, encoding)
        for part in value if isinstance(value, list) else ():
            if part.get("type") == "text":
                count += _text_tokens(part["text"], encoding)
            elif part.get("type") == "image_url":
                count += _picture_tokens(part["image_url"]["url"], pictures)
    return count


def _picture_tokens(url: str, pictures: Mapping[str, Image]) -> int:
    """A fixed price, and one for each tile of the picture as the model shrinks it."""
    width, height = _size(url, pictures)
    longest = max(width, height)
    if longest > _LONGEST_SIDE:
        width, height = width * _LONGEST_SIDE // longest, height * _LONGEST_SIDE // longest
    shorter = max(1, min(width, height))
    if shorter > _SHORTER_SIDE:
        width, height = width * _SHORTER_SIDE // shorter, height * _SHORTER_SIDE // shorter
    return _PER_PICTURE + _PER_TILE * math.ceil(width / _TILE) * math.ceil(height / _TILE)


def _size(url: str, pictures: Mapping[str, Image]) -> tuple[int, int]:
    if url in pictures:
        return picture_size(pictures[url]) or _UNKNOWN_SIZE
    try:
        return picture_size(base64.b64decode(url.partition(",")[2])) or _UNKNOWN_SIZE
    except (binascii.Error, ValueError):
        return _UNKNOWN_SIZE

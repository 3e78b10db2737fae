"""The values that user code receives: a picture, which is bytes, and a text with annotations, which is a string."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from flowyard.media.signatures import ANY_IMAGE, guess_mime

__all__ = ["Image", "PFBytes", "Text", "decode_base64"]

_Self = TypeVar("_Self", bound="PFBytes")
_DATA_URI = re.compile(r"data:(?P<mime>image/[^;,\s]*)(?:;[^,]*)?;base64\Z", re.IGNORECASE)


class PFBytes(bytes):
    """Bytes that know their type and, when they were downloaded, their address. They compare and hash as bytes."""

    _mime_type: str
    _source_url: str | None

    def __new__(cls: type[_Self], value: bytes, mime_type: str | None = None, source_url: str | None = None) -> _Self:
        made = super().__new__(cls, value)
        made._mime_type = (mime_type or "application/octet-stream").lower()
        made._source_url = source_url
        return made

    @property
    def source_url(self) -> str | None:
        """Where the bytes were downloaded from; None when they were not."""
        return self._source_url

    def to_base64(self, with_type: bool = False, dict_type: bool = False) -> str | dict[str, str]:
        """The bytes in base64: bare; as a data URI ``with_type``; with ``dict_type`` too as a ``basic`` image map."""
        text = base64.b64encode(self).decode("ascii")
        if not with_type:
            return text
        return {f"data:{self._mime_type};base64": text} if dict_type else f"data:{self._mime_type};base64,{text}"

    @property
    def data_uri(self) -> str:
        """The bytes as a ``data:`` URI."""
        return f"data:{self._mime_type};base64,{base64.b64encode(self).decode('ascii')}"


class Image(PFBytes):
    """A picture. ``str(image)`` is a short name that stands for it in prompts: the same bytes, the same name.

    Without ``mime_type`` the type is read from the first bytes; it is ``image/*`` when they do not tell.
    """

    def __new__(cls, value: bytes, mime_type: str | None = None, source_url: str | None = None) -> Image:
        return super().__new__(cls, value, mime_type or guess_mime(value) or ANY_IMAGE, source_url)

    @classmethod
    def from_file(cls, path: Path | str, mime_type: str | None = None) -> Image:
        """The picture in a file. Raises OSError."""
        return cls(Path(path).read_bytes(), mime_type)

    @classmethod
    def from_base64(cls, text: str, mime_type: str | None = None) -> Image:
        """The picture in base64 text or in a base64 data URI. Raises ValueError."""
        data, told = decode_base64(text)
        return cls(data, mime_type or guess_mime(data) or told)

    @cached_property
    def _name(self) -> str:
        # Eight digits of SHA-1, because flows print this name and compare it with prompt flow's.
        return f"Image({hashlib.sha1(self, usedforsecurity=False).hexdigest()[:8]})"

    def __str__(self) -> str:
        return self._name

    def __repr__(self) -> str:
        return self._name

    def serialize(self, encoder: Callable[[Image], Any] | None = None) -> Any:
        """What the encoder makes of the picture; without one, its short name."""
        return encoder(self) if encoder else str(self)


class Text(str):
    """A text of the ``openai-vision`` message format; ``_annotations`` is None when the map had a plain string."""

    _annotations: list[Any] | None

    def __new__(cls, value: str, annotations: list[Any] | None = None) -> Text:
        made = super().__new__(cls, value)
        made._annotations = annotations
        return made

    @classmethod
    def deserialize(cls, data: Mapping[str, Any]) -> Text:
        """The text of ``{"type": "text", "text": "…"}`` or of ``{"type": "text", "text": {"value": "…"}}``."""
        text = data.get("text", "")
        if isinstance(text, Mapping):
            return cls(text.get("value", ""), text.get("annotations", []))
        return cls(text)

    def serialize(self) -> dict[str, Any]:
        """The map that ``deserialize`` reads."""
        if self._annotations is None:
            return {"type": "text", "text": str(self)}
        return {"type": "text", "text": {"value": str(self), "annotations": self._annotations}}


def decode_base64(text: str) -> tuple[bytes, str | None]:
    """The bytes of base64 text or of a base64 data URI, and the image type that the URI names, if it is one.

    Line breaks and blanks in the text do not count. Raises ValueError.
    """
    head, comma, body = text.partition(",")
    match = _DATA_URI.fullmatch(head.strip()) if comma else None
    if comma and match is None:
        raise ValueError("it is neither base64 nor a data URI of a picture in base64")
    try:
        data = base64.b64decode("".join((body if comma else text).split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"it is not base64: {error}") from None
    return data, match["mime"].lower() if match else None

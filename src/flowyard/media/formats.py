"""The two ways in which flows write pictures as JSON.

``basic`` is a map of one key, ``{"data:image/png;path": "cat.png"}``, where the key ends in ``path``, ``base64`` or
``url``. ``openai-vision`` is ``{"type": "image_url", "image_url": {"url": "…"}}``, where the URL may be a data URI, or
``{"type": "image_file", "image_file": {"path": "…"}}``, or a text, ``{"type": "text", "text": "…"}``.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from flowyard._util.suggest import did_you_mean, known_names
from flowyard.errors import UserError
from flowyard.media.image import Image, Text, decode_base64
from flowyard.media.signatures import ANY_IMAGE

__all__ = ["MESSAGE_FORMATS", "MessageFormat", "Reference", "declared_mime", "is_base64", "message_format"]

Kind = Literal["path", "base64", "url"]
_KEY = re.compile(r"data:image/(?P<subtype>[^;,\s]*);(?P<kind>path|base64|url)")


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a picture is: ``content`` is a path, base64 text or a URL; ``mime`` is None when the map names no type."""

    kind: Kind
    content: Any
    mime: str | None = None


class MessageFormat(ABC):
    """One way to write pictures and texts as JSON."""

    name: str

    @abstractmethod
    def read(self, value: dict[str, Any]) -> Reference | Text | None:
        """What the map stands for, or None when it is an ordinary map."""

    @abstractmethod
    def path_map(self, image: Image, path: str) -> dict[str, Any]:
        """The map of a picture that is in a file."""

    @abstractmethod
    def url_map(self, image: Image, url: str) -> dict[str, Any]:
        """The map of a picture that is at an address."""

    @abstractmethod
    def base64_map(self, image: Image) -> dict[str, Any]:
        """The map that holds the picture itself."""

    @abstractmethod
    def text_value(self, text: Text) -> Any:
        """How a text is written."""


class _Basic(MessageFormat):
    name = "basic"

    def read(self, value: dict[str, Any]) -> Reference | Text | None:
        if len(value) != 1:
            return None
        (key, content), *_ = value.items()
        match = _KEY.fullmatch(key) if isinstance(key, str) else None
        if match is None:
            return None
        kind: Any = match["kind"]
        return Reference(kind, content, declared_mime(match["subtype"]))

    def path_map(self, image: Image, path: str) -> dict[str, Any]:
        return {f"data:{image._mime_type};path": path}

    def url_map(self, image: Image, url: str) -> dict[str, Any]:
        return {f"data:{image._mime_type};url": url}

    def base64_map(self, image: Image) -> dict[str, Any]:
        return {f"data:{image._mime_type};base64": image.to_base64()}

    def text_value(self, text: Text) -> Any:
        return text


class _OpenAIVision(MessageFormat):
    name = "openai-vision"

    def read(self, value: dict[str, Any]) -> Reference | Text | None:
        kind = value.get("type")
        if len(value) != 2 or not isinstance(kind, str) or kind not in value:
            return None
        inner = value[kind]
        if kind == "text":
            text = inner.get("value") if isinstance(inner, dict) else inner
            return Text.deserialize(value) if isinstance(text, str) else None
        if not isinstance(inner, dict):
            return None
        if kind == "image_url" and "url" in inner:
            return Reference("base64" if is_base64(inner["url"]) else "url", inner["url"])
        return Reference("path", inner["path"]) if kind == "image_file" and "path" in inner else None

    def path_map(self, image: Image, path: str) -> dict[str, Any]:  # noqa: ARG002 - this format names no type
        return {"type": "image_file", "image_file": {"path": path}}

    def url_map(self, image: Image, url: str) -> dict[str, Any]:  # noqa: ARG002 - this format names no type
        return {"type": "image_url", "image_url": {"url": url}}

    def base64_map(self, image: Image) -> dict[str, Any]:
        return self.url_map(image, image.data_uri)

    def text_value(self, text: Text) -> Any:
        return text.serialize()


MESSAGE_FORMATS: Mapping[str, MessageFormat] = {form.name: form for form in (_Basic(), _OpenAIVision())}
"""The known message formats by the name that a flow's ``message_format`` gives them."""


def message_format(name: str | None) -> MessageFormat:
    """The format of that name in any case; ``basic`` for None and empty. Raises UserError."""
    form = MESSAGE_FORMATS.get((name or "basic").lower())
    if form is None:
        near = did_you_mean(str(name), MESSAGE_FORMATS)
        hint = near or f"Message formats are {known_names(MESSAGE_FORMATS)}."
        raise UserError(f"There is no message format {name!r}.", hint=hint)
    return form


def declared_mime(subtype: str) -> str:
    """The type that ``data:image/<subtype>`` names."""
    return f"image/{subtype.lower()}" if subtype else ANY_IMAGE


def is_base64(value: Any) -> bool:
    """Whether a value is base64 text, or a data URI of a picture in base64, and not empty."""
    if not isinstance(value, str) or not value:
        return False
    try:
        decode_base64(value)
    except ValueError:
        return False
    return any(not char.isspace() for char in value)

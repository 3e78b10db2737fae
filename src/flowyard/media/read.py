"""One picture from a file, from base64 text or from the network."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from flowyard.errors import UserError
from flowyard.media.formats import Reference
from flowyard.media.image import Image, decode_base64
from flowyard.media.signatures import guess_mime, is_picture
from flowyard.media.urls import UrlRules

__all__ = ["read_picture"]

_SHOWN_LENGTH = 100


async def read_picture(reference: Reference, folder: Path | None, urls: UrlRules) -> Image:
    """The picture that a reference leads to. Raises UserError, or OutsideError when a server fails or is too slow."""
    content = reference.content
    if not isinstance(content, str) or not content.strip():
        raise UserError(f"the {reference.kind} of a picture must be text that is not empty, not {_shown(content)}.")
    if reference.kind == "path":
        return Image(await asyncio.to_thread(_read_file, content, folder, urls.max_bytes), reference.mime)
    if reference.kind == "base64":
        return _decode(content, reference.mime, urls.max_bytes)
    return await _download(content, reference.mime, urls)


def _read_file(text: str, folder: Path | None, most: int) -> bytes:
    if folder is None:
        raise UserError(
            f"{_shown(text)} is neither base64 nor a URL, and paths are not accepted here.",
            hint="Send the picture itself in base64, or its URL.",
        )
    path = folder / text
    try:
        if not path.is_file():
            raise UserError(f"there is no picture file {_shown(text)}.", hint=f"Relative paths start from {folder}.")
        with path.open("rb") as file:
            data = file.read(most + 1)
        # Data names paths: without this check it could show any file of this machine to a model.
        known = is_picture(data, path.resolve())
    except (OSError, ValueError) as error:
        raise UserError(f"the picture file {_shown(text)} cannot be read: {type(error).__name__}.") from None
    if not known:
        raise UserError(f"the file {_shown(text)} is not a picture, by its first bytes or by its extension.")
    return _require_size(data, most)


def _decode(text: str, mime: str | None, most: int) -> Image:
    try:
        data, told = decode_base64(text)
    except ValueError as error:
        raise UserError(f"{_shown(text)} cannot be read as a picture: {error}.") from None
    return Image(_require_size(data, most), mime or guess_mime(data) or told)


async def _download(url: str, mime: str | None, rules: UrlRules) -> Image:
    # aiohttp takes longer to import than most flows take to start, and few of them download.
    from flowyard.media.download import download_picture  # noqa: PLC0415

    data, told = await download_picture(url, rules)
    return Image(_require_size(data, rules.max_bytes), mime or guess_mime(data) or told, url)


def _require_size(data: bytes, most: int) -> bytes:
    if len(data) > most:
        raise UserError(f"the picture is larger than the limit of {most} bytes.")
    if not data:
        raise UserError("the picture is empty.")
    return data


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_LENGTH else f"{text[: _SHOWN_LENGTH - 1]}…"

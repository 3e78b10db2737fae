"""What kind of picture some bytes or a file name are, and which extension a kind has."""

from __future__ import annotations

from pathlib import Path

__all__ = ["ANY_IMAGE", "extension_of", "guess_mime", "is_picture"]

ANY_IMAGE = "image/*"
"""The type of a picture of which nothing more is known."""

_STARTS = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
    b"BM": "image/bmp",
    b"II*\x00": "image/tiff",
    b"MM\x00*": "image/tiff",
    b"\x00\x00\x01\x00": "image/x-icon",
    b"8BPS": "image/vnd.adobe.photoshop",
    b"\x00\x00\x00\x0cjP  \r\n\x87\n": "image/jp2",
    b"\x00\x00\x00\x0cJXL \r\n\x87\n": "image/jxl",
}
_BRANDS = {b"avif": "image/avif", b"avis": "image/avif", b"heic": "image/heic", b"heix": "image/heic"}
_EXTENSIONS = {
    "image/apng": ".apng",
    "image/avif": ".avif",
    "image/bmp": ".bmp",
    "image/gif": ".gif",
    "image/heic": ".heic",
    "image/heif": ".heif",
    "image/jp2": ".jp2",
    "image/jpeg": ".jpeg",
    "image/jpg": ".jpg",
    "image/jxl": ".jxl",
    "image/png": ".png",
    "image/svg+xml": ".svg",
    "image/tiff": ".tiff",
    "image/vnd.adobe.photoshop": ".psd",
    "image/vnd.microsoft.icon": ".ico",
    "image/webp": ".webp",
    "image/x-icon": ".ico",
}
_PICTURE_NAMES = {*_EXTENSIONS.values(), ".jpe", ".jfif", ".tif", ".dib"}


def guess_mime(data: bytes) -> str | None:
    """The picture type that the first bytes tell, or None when they are no picture that we know."""
    for start, mime in _STARTS.items():
        if data.startswith(start):
            return mime
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data[4:8] == b"ftyp":
        return _BRANDS.get(bytes(data[8:12]))
    return "image/svg+xml" if _is_svg(data) else None


def is_picture(data: bytes, path: Path) -> bool:
    """Whether a file is a picture by its first bytes or by its extension."""
    return guess_mime(data) is not None or path.suffix.lower() in _PICTURE_NAMES


def extension_of(mime: str) -> str:
    """The file extension of a picture type, with its dot; empty for types that are not on our list."""
    return _EXTENSIONS.get(mime, "")


def _is_svg(data: bytes) -> bool:
    head = bytes(data[:1024]).lstrip(b"\xef\xbb\xbf \t\r\n")
    return head.startswith(b"<svg") or (head.startswith((b"<?xml", b"<!--", b"<!DOCTYPE svg")) and b"<svg" in head)

"""Pictures in results: as files beside them, or inside the answer of a server."""

from __future__ import annotations

import hashlib
import os
import uuid
from pathlib import Path
from typing import Any

from flowyard._util.files import write_atomic
from flowyard.media.formats import MessageFormat, message_format
from flowyard.media.image import Image, Text
from flowyard.media.signatures import extension_of, guess_mime
from flowyard.media.values import UNCHANGED, replace_values

__all__ = ["MediaWriter", "as_base64", "dump_media"]


class MediaWriter:
    """Writes pictures into ``folder``, which is made when the first one is written, each under a name of its own.

    ``format`` names the flow's message format. The paths it gives are absolute, or ``relative`` to ``base`` (to
    ``folder`` itself when no base is given). The same picture is written once. Raises UserError for an unknown format.
    """

    def __init__(
        self, folder: Path, format: str | None = "basic", relative: bool = True, *, base: Path | None = None
    ) -> None:
        self._folder = folder
        self._format = message_format(format)
        self._base = (base or folder) if relative else None
        self._written: dict[tuple[str, bytes], str] = {}

    @property
    def format(self) -> MessageFormat:
        """How the references are written."""
        return self._format

    def reference(self, image: Image) -> dict[str, Any]:
        """The map that stands for the picture: its URL when it was downloaded, else its file, written now.

        Raises OSError when the file cannot be written.
        """
        if image.source_url:
            return self._format.url_map(image, image.source_url)
        key = image._mime_type, hashlib.sha256(image).digest()
        if key not in self._written:
            self._written[key] = self._write(image)
        return self._format.path_map(image, self._written[key])

    def _write(self, image: Image) -> str:
        # The type is what data says, so only a listed one becomes part of a file's name.
        extension = extension_of(image._mime_type) or extension_of(guess_mime(image) or "")
        path = self._folder / f"{uuid.uuid4()}{extension}"
        self._folder.mkdir(parents=True, exist_ok=True)
        write_atomic(path, image)
        shown = path.resolve() if self._base is None else Path(os.path.relpath(path, self._base))
        return shown.as_posix()


def dump_media(value: Any, writer: MediaWriter) -> Any:
    """The value as JSON can hold it: pictures are written and replaced by references, texts by their maps.

    ``load_media`` reads it back, with the folder that the references are relative to. Raises OSError.
    """

    def replace(part: Any, _: str) -> Any:
        if isinstance(part, Image):
            return writer.reference(part)
        return writer.format.text_value(part) if isinstance(part, Text) else UNCHANGED

    return replace_values(value, replace)


def as_base64(value: Any, format: str | None = "basic") -> Any:
    """The value with each picture replaced by a map that holds it in base64, for answers over HTTP.

    Raises UserError for an unknown message format.
    """
    form = message_format(format)
    return replace_values(value, lambda part, _: form.base64_map(part) if isinstance(part, Image) else UNCHANGED)

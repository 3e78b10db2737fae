"""From what data and flow files say to pictures."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flowyard.errors import FlowyardError, UserError
from flowyard.media.formats import MESSAGE_FORMATS, MessageFormat, Reference, declared_mime, is_base64, message_format
from flowyard.media.image import Image, PFBytes
from flowyard.media.read import read_picture
from flowyard.media.urls import UrlRules
from flowyard.media.values import UNCHANGED, replace_values

__all__ = ["load_media", "prompty_image"]

_AT_ONCE = 4
_MOST_TOGETHER = 10
"""How many times the limit of one picture all pictures of one value may weigh."""
_LONGEST_PATH = 4096
_PROMPTY = re.compile(r"data:image/(?P<subtype>[^;,\s]*);(?P<kind>path|base64|url):(?P<content>.*)", re.DOTALL)
_IMAGE_HINT = 'Write {"data:image/png;path": "cat.png"} (or ;base64, or ;url), or a path, base64 text or a URL alone.'


async def load_media(
    value: Any,
    *,
    folder: Path | None,
    urls: UrlRules,
    as_image: bool = False,
    format: str | None = None,
    name: str = "",
) -> Any:
    """The value of a flow input with its image maps, and the text maps of ``openai-vision``, replaced by objects.

    ``folder`` is what relative paths start from: the data file's folder, or the flow's. None refuses paths altogether,
    for values that come over HTTP. ``format`` is the flow's message format; None reads the maps of all formats. Lists,
    tuples and dict values are searched; strings stay as they are.

    With ``as_image``, for inputs of type ``image``, the value (or each item of a list) must be an image map or a
    string: the path of an existing file first, then base64, then a URL. (prompt flow tries base64 first, so it misreads
    a path that happens to be valid base64.)

    ``name`` is the input's, for errors. Raises UserError, or OutsideError when a server fails or is too slow.
    """
    formats = (message_format(format),) if format else tuple(MESSAGE_FORMATS.values())
    loader = _Loader(folder, urls, formats)
    try:
        skeleton = replace_values(value, loader.find_image if as_image else loader.find, name)
        await loader.load()
        return replace_values(skeleton, lambda part, _: part.image if isinstance(part, _Pending) else UNCHANGED)
    except RecursionError:
        raise UserError(f"{_label(name)}the value is nested too deeply.") from None


async def prompty_image(value: Any, folder: Path | None, urls: UrlRules, *, name: str = "") -> Any:
    """The picture that a prompty's string input names, or the value unchanged when it names none.

    The form is ``data:image/<type>;path: x.png``, or ``;base64: …`` or ``;url: …``. ``folder`` is the prompty's; None
    refuses paths. Raises UserError and OutsideError as ``load_media`` does.
    """
    match = _PROMPTY.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return value
    kind: Any = match["kind"]
    loader = _Loader(folder, urls, ())
    pending = loader.expect(Reference(kind, match["content"].strip(), declared_mime(match["subtype"])), name)
    await loader.load()
    return pending.image


@dataclass(slots=True, eq=False)
class _Pending:
    """Stands in a value for a picture until it is loaded."""

    reference: Reference
    where: str
    image: Image | None = None


class _Loader:
    """Collects the pictures that one value names, then loads them, some at a time."""

    def __init__(self, folder: Path | None, urls: UrlRules, formats: tuple[MessageFormat, ...]) -> None:
        self._folder = folder
        self._urls = urls
        self._formats = formats
        self._pending: list[_Pending] = []
        self._weight = 0

    def expect(self, reference: Reference, where: str) -> _Pending:
        """Note a picture to load."""
        self._pending.append(_Pending(reference, where))
        return self._pending[-1]

    def find(self, part: Any, where: str) -> Any:
        """The replacement of an image map or text map; UNCHANGED for any other part."""
        if not isinstance(part, dict):
            return UNCHANGED
        found = next((found for form in self._formats if (found := form.read(part)) is not None), UNCHANGED)
        return self.expect(found, where) if isinstance(found, Reference) else found

    def find_image(self, part: Any, where: str) -> Any:
        """The replacement of a part that must be a picture; UNCHANGED only for lists, whose items must be pictures."""
        if isinstance(part, list):
            return UNCHANGED
        if isinstance(part, PFBytes):
            return part
        found = self.expect(self._read_text(part), where) if isinstance(part, str) and part else self.find(part, where)
        if not isinstance(found, _Pending):
            raise UserError(f"{_label(where)}a picture is needed, not {_described(part)}.", hint=_IMAGE_HINT)
        return found

    async def load(self) -> None:
        """Load all. Raises the first error in the order of the value, when all have ended."""
        gate = asyncio.Semaphore(_AT_ONCE)
        ended = await asyncio.gather(*(self._load_one(one, gate) for one in self._pending), return_exceptions=True)
        for error in ended:
            if isinstance(error, BaseException):
                raise error

    async def _load_one(self, pending: _Pending, gate: asyncio.Semaphore) -> None:
        async with gate:
            try:
                self._require_room()
                pending.image = await read_picture(pending.reference, self._folder, self._urls)
            except FlowyardError as error:
                raise type(error)(f"{_label(pending.where)}{error.message}", hint=error.hint) from None
            self._weight += len(pending.image)

    def _require_room(self) -> None:
        most = _MOST_TOGETHER * self._urls.max_bytes
        if self._weight > most:
            raise UserError(f"The pictures of this value are together larger than the limit of {most} bytes.")

    def _read_text(self, text: str) -> Reference:
        """What a string stands for. A file that exists comes first, so that no path is misread."""
        if self._folder is not None and _exists(self._folder, text):
            return Reference("path", text)
        if is_base64(text):
            return Reference("base64", text)
        return Reference("url" if _is_url(text) else "path", text)


def _exists(folder: Path, text: str) -> bool:
    try:
        return len(text) <= _LONGEST_PATH and (folder / text).is_file()
    except (OSError, ValueError):  # a name that the system does not take
        return False


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(parts.scheme and parts.netloc)


def _described(part: Any) -> str:
    if isinstance(part, dict):
        return "another map"
    return "an empty string" if part == "" else type(part).__name__


def _label(where: str) -> str:
    return f"Input {where!r}: " if where else "Picture: "

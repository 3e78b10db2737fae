"""One JSON array of objects, read item by item: memory holds one piece of the file and one item.

An item that is wrong inside is one failed row. Where brackets or quotes do not match, nobody can say where items begin
and end: that is a UserError, which looking through the file finds before anything is run.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from flowyard.errors import UserError
from flowyard.runs.data.files import BrokenData, DataFile
from flowyard.runs.data.json_lines import looks_like_json_lines, object_row, scan_value
from flowyard.runs.data.rows import FileRow, Scan, unreadable

__all__ = ["iter_items", "read_json_array", "scan_json_array"]

_CHUNK = 256 * 1024
_LONGEST_ITEM = 256 * 1024 * 1024
_BLANK = re.compile(r"[ \t\r\n]*")
# A text is followed by what may follow a text; anything else says that a quote is missing somewhere before.
_MARKS = re.compile(r'"(?:[^"\\\n]+|\\.)*+"(?=\s*(?:[,:}\]"]|\Z))|[\[\]{},"]')
_UNFINISHED = re.compile(r'"(?:[^"\\\n]+|\\.)*+\\?\Z')
_CLOSED_BY = {"{": "}", "[": "]"}


def read_json_array(file: DataFile) -> Iterator[FileRow]:
    """The rows. Raises UserError when the file is no array of items."""
    return iter_items(file, _CHUNK)


def scan_json_array(file: DataFile, name: str | None) -> Scan:
    """Reads it all, because only that tells whether its items can be told apart. Raises UserError when they cannot."""
    rows, found = 0, False
    for row in iter_items(file, _CHUNK):
        rows += 1
        found = found or (name is not None and isinstance(row, Mapping) and name in row)
    return Scan(rows, found)


def iter_items(file: DataFile, chunk: int) -> Iterator[FileRow]:
    """The items of the array, from pieces of ``chunk`` bytes."""
    with file.open() as stream:
        text = _Text(file, stream, chunk)
        if text.next_sign() != "[":
            raise _no_array(file, text)
        text.position += 1
        if text.next_sign() != "]":
            yield from _items(text)
        text.position += 1
        if text.next_sign():
            raise text.unsound("there is more after the end of the array")


def _items(text: _Text) -> Iterator[FileRow]:
    index = 0
    while True:
        values, end = _item(text, index)
        yield values
        index += 1
        text.position = end
        if text.buffer[end] == "]":
            return
        text.position += 1
        if text.next_sign() == "]":
            raise text.unsound("there is a comma, but no item after it")


def _item(text: _Text, index: int) -> tuple[FileRow, int]:
    """The item at the position, and where the sign after it is."""
    while True:
        found = _sound_item(text)
        if not isinstance(found, str):
            return found
        if len(text.buffer) - text.position < text.chunk and text.fill():
            continue  # it was probably cut off only
        end = _item_end(text)
        if end is not None:
            bad = text.has_bad_bytes(text.position, end)
            said = "is not UTF-8 text" if bad else f"is not valid JSON: {found}"
            return unreadable(f"Item {index} {said}.", text.where(text.position)), end
        text.fill()


def _sound_item(text: _Text) -> tuple[FileRow, int] | str:
    """The item at the position and where the sign after it is, or why that is not known."""
    start = text.position
    try:
        value, end = scan_value(text.buffer, start)
    except json.JSONDecodeError as error:
        return error.msg
    except (ValueError, RecursionError) as error:
        return str(error)
    except StopIteration:
        return "there is no value"
    end = _after_blank(text.buffer, end)
    if text.buffer[end : end + 1] not in (",", "]") or text.has_bad_bytes(start, end):
        return "something is left after its end"
    return (value if type(value) is dict else object_row(value, text.where(start))), end


def _item_end(text: _Text) -> int | None:
    """Where the sign is that ends the item at the position; None when more of the file has to be read to tell."""
    opened: list[str] = []
    for mark in _MARKS.finditer(text.buffer, text.position):
        sign = mark[0]
        if sign == '"':
            if _UNFINISHED.match(text.buffer, mark.start()):
                break
            raise text.unsound("a quote or a colon is missing, or a text goes over the end of a line", mark.start())
        if sign in _CLOSED_BY:
            opened.append(_CLOSED_BY[sign])
        elif not opened and sign in (",", "]"):
            return mark.start()
        elif sign in ("}", "]") and (not opened or opened.pop() != sign):
            raise text.unsound(f"the {sign} closes nothing", mark.start())
    if text.at_end or len(text.buffer) - text.position > _LONGEST_ITEM:
        raise text.unsound("an item does not end", text.position)
    return None


class _Text:
    """The file's text from ``position`` on, as far as it is needed."""

    def __init__(self, file: DataFile, stream: Any, chunk: int) -> None:
        self.file = file
        self.chunk = chunk
        self.buffer = ""
        self.position = 0
        self.at_end = False
        self._stream = stream
        self._decode = codecs.getincrementaldecoder("utf-8-sig")("surrogateescape").decode
        self._lines = 0
        self._dirty = False

    def next_sign(self) -> str:
        """Skip what is blank and return the sign at the position, empty at the end."""
        while True:
            self.position = _after_blank(self.buffer, self.position)
            if self.position < len(self.buffer) or not self.fill():
                return self.buffer[self.position : self.position + 1]

    def fill(self) -> bool:
        """Drop what was read and read on, the more the longer the item is; False at the end of the file."""
        if self.at_end:
            return False
        kept = self.buffer[self.position :]
        self._lines += self.buffer.count("\n", 0, self.position)
        try:
            data = self._stream.read(max(self.chunk, len(kept)))
        except BrokenData as error:
            raise self.unsound(str(error)) from None
        more = self._decode(data, not data)
        self.at_end = not data
        self._dirty = not _is_sound(more) or (self._dirty and not _is_sound(kept))
        self.buffer, self.position = kept + more, 0
        return bool(data)

    def has_bad_bytes(self, start: int, end: int) -> bool:
        """Whether some of this was not UTF-8."""
        return self._dirty and not _is_sound(self.buffer[start:end])

    def where(self, position: int) -> str:
        return f"{self.file.name}:{self._lines + self.buffer.count(chr(10), 0, position) + 1}"

    def unsound(self, why: str, position: int | None = None) -> UserError:
        """The error that the array cannot be read past this place."""
        where = self.where(self.position if position is None else position)
        return UserError(f"{self.file.name} is not valid JSON: {why}.", where=where, hint="Mend it, or use JSON lines.")


def _after_blank(text: str, position: int) -> int:
    found = _BLANK.match(text, position)
    return found.end() if found else position


def _is_sound(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _no_array(file: DataFile, text: _Text) -> UserError:
    """Why a file whose first sign is no bracket is refused."""
    if text.buffer[text.position : text.position + 1] == "{":
        try:
            _, end = scan_value(text.buffer, text.position)
        except (ValueError, StopIteration, RecursionError):
            end = None
        if end is None or not text.buffer[end:].strip():
            hint = 'Write [{"name": "value"}].'
            return UserError(f"{file.name} holds a JSON dict, not an array of records.", hint=hint)
    one_a_line = looks_like_json_lines(file)
    hint = "It holds one object a line: call it .jsonl." if one_a_line else 'Write [{"name": "value"}].'
    return UserError(f"{file.name} is not valid JSON: it does not begin with [.", hint=hint)

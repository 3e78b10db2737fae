"""From a rendered chat prompt to messages, and keeping a user's text from becoming one.

A line that holds only a role and a colon starts a message::

    system:
    You are terse.
    # user:
    {{question}}

Roles are ``system user assistant function tool``, as in prompt flow, and ``developer``.
"""

from __future__ import annotations

import ast
import json
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from flowyard.errors import UserError

__all__ = ["ROLES", "RoleEscapes", "parse_chat"]

ROLES = ("system", "user", "assistant", "function", "tool", "developer")

_BLANKS = r"[^\S\n]*"
_MARK = rf"{_BLANKS}(?:#{{1,2}}{_BLANKS})?"
# Each pattern can match a run of blanks in one way only, so hostile text cannot make matching slow.
_ROLE = rf"^{_BLANKS}(?:#{_BLANKS})?(?P<role>{'|'.join(ROLES)}){_BLANKS}:{_BLANKS}"
_SEPARATOR = re.compile(_ROLE + r"\n", re.IGNORECASE | re.MULTILINE)
# The template may continue a value with the newline that completes a separator.
_NEARLY_SEPARATOR = re.compile(_ROLE + r"(?=\n|\Z)", re.IGNORECASE | re.MULTILINE)
_TOOL_CALLS = re.compile(rf"^{_MARK}tool_calls{_BLANKS}:{_BLANKS}\n\s*(?=\[)", re.MULTILINE)
_SHOWN_LENGTH = 60


def _labelled(label: str) -> re.Pattern[str]:
    head = rf"{_MARK}{label}{_BLANKS}:{_BLANKS}\n\s*(\S+)\s*\n"
    return re.compile(rf"{head}{_MARK}content{_BLANKS}:{_BLANKS}(?:\n(.*))?\Z", re.DOTALL)


_NAME_BLOCK = _labelled("name")
_TOOL_BLOCK = _labelled("tool_call_id")


class RoleEscapes:
    """Hides role words in untrusted values while a prompt is rendered and split, then puts them back.

    A role word is hidden only where it would start a message. The stand-ins cannot be guessed, so no value can forge
    one. Use one object for one prompt.
    """

    def __init__(self) -> None:
        self._tokens: dict[str, str] = {}
        self._words: dict[str, str] = {}

    def escape(self, value: Any) -> Any:
        """The value with role words hidden in its strings, also inside lists, tuples and dicts, keys included."""
        return _map_strings(value, self._hide)

    def restore(self, value: Any) -> Any:
        """Text or messages with every hidden word back in place."""
        return _map_strings(value, self._show) if self._words else value

    def adopt(self, other: RoleEscapes) -> None:
        """Also restore what another object has hidden so far, for text that was escaped elsewhere."""
        self._words.update(other._words)

    def _hide(self, text: str) -> str:
        return _NEARLY_SEPARATOR.sub(self._replace, text)

    def _replace(self, match: re.Match[str]) -> str:
        word = match["role"]
        token = self._tokens.setdefault(word, f"escaped-{secrets.token_hex(16)}")
        self._words[token] = word
        start, end = match.start("role") - match.start(), match.end("role") - match.start()
        return match[0][:start] + token + match[0][end:]

    def _show(self, text: str) -> str:
        for token, word in self._words.items():
            text = text.replace(token, word)
        return text


def parse_chat(
    text: str,
    *,
    images: Mapping[str, str] | None = None,
    image_detail: str = "auto",
    escapes: RoleEscapes | None = None,
) -> list[dict[str, Any]]:
    """The messages of a rendered prompt, in OpenAI's shape.

    ``images`` maps the placeholder that stands alone on a line to the picture's URL or data URI. With ``escapes`` the
    hidden words are restored in the messages and in errors. Raises UserError when text stands before the first role,
    when there is no role, or when a ``function`` or ``tool`` message lacks its block.
    """
    restore: Callable[[Any], Any] = escapes.restore if escapes else lambda value: value
    before, chunks = _split(text)
    if before.strip() or not chunks:
        raise UserError(_misplaced(restore(before.strip())), hint=f"Roles: {', '.join(ROLES)}.")
    messages = [_message(role, chunk, images or {}, image_detail, restore) for role, chunk in chunks]
    restored: list[dict[str, Any]] = restore(messages)
    return restored


def _split(text: str) -> tuple[str, list[tuple[str, str]]]:
    """What stands before the first role, and ``(role, content)`` of every message."""
    marks = list(_SEPARATOR.finditer(text))
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    chunks = [(mark["role"].lower(), text[mark.end() : end].strip()) for mark, end in zip(marks, ends, strict=False)]
    return text[: marks[0].start()] if marks else text, chunks


def _misplaced(before: str) -> str:
    if not before:
        return "The chat prompt is empty. It must start with a line that holds only a role, such as 'system:'."
    return (
        f"The chat prompt must start with a line that holds only a role, such as 'system:', not with {_short(before)}."
    )


def _short(text: str) -> str:
    line = " ".join(text.split())
    return repr(line if len(line) <= _SHOWN_LENGTH else line[: _SHOWN_LENGTH - 1] + "…")


def _message(
    role: str, chunk: str, images: Mapping[str, str], detail: str, restore: Callable[[Any], Any]
) -> dict[str, Any]:
    if role == "tool":
        match = _TOOL_BLOCK.match(chunk)
        if match is None:
            raise UserError(_block_needed(role, "tool_call_id", restore(chunk)))
        return {"role": role, "tool_call_id": match[1], "content": _content((match[2] or "").strip(), images, detail)}
    calls = _tool_calls(chunk) if role == "assistant" else None
    if calls is not None:
        return {"role": role, "tool_calls": calls}
    match = _NAME_BLOCK.match(chunk)
    if match:
        return {"role": role, "name": match[1], "content": _content((match[2] or "").strip(), images, detail)}
    if role == "function":
        raise UserError(_block_needed(role, "name", restore(chunk)))
    return {"role": role, "content": _content(chunk, images, detail)}


def _block_needed(role: str, label: str, chunk: str) -> str:
    return (
        f"A {role!r} message needs '{label}:' and 'content:', each alone on a line and followed by its value; "
        f"this one is {_short(chunk)}."
    )


def _tool_calls(chunk: str) -> list[Any] | None:
    """The list after ``tool_calls:``, as a Python literal or, which prompt flow leaves as text, as JSON."""
    match = _TOOL_CALLS.search(chunk)
    if match is None:
        return None
    text = chunk[match.end() :].strip()
    for read in (ast.literal_eval, json.loads):
        try:
            value = read(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
        if isinstance(value, list):
            return value
    return None


def _content(text: str, images: Mapping[str, str], detail: str) -> str | list[dict[str, Any]]:
    lines = text.split("\n")
    if not any(line.strip() in images for line in lines):
        return text
    return list(_parts(lines, images, detail))


def _parts(lines: list[str], images: Mapping[str, str], detail: str) -> Iterator[dict[str, Any]]:
    for line in lines:
        url = images.get(line.strip())
        if url is not None:
            yield {"type": "image_url", "image_url": {"url": url, "detail": detail}}
        elif line.strip():
            yield {"type": "text", "text": line}


def _map_strings(value: Any, change: Callable[[str], str]) -> Any:
    """The value with its strings changed; objects in which nothing changes keep their identity and class."""
    if isinstance(value, str):
        changed = change(value)
        return value if changed == value else changed
    if isinstance(value, list | tuple):
        items = [_map_strings(item, change) for item in value]
        same = all(new is old for new, old in zip(items, value, strict=True))
        return value if same else items if isinstance(value, list) else tuple(items)
    if isinstance(value, dict):
        pairs = [(_map_strings(key, change), _map_strings(item, change)) for key, item in value.items()]
        unchanged = all(new == old for (new, _), old in zip(pairs, value, strict=True))
        unchanged = unchanged and all(new is old for (_, new), old in zip(pairs, value.values(), strict=True))
        return value if unchanged else dict(pairs)
    return value

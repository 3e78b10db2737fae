"""``.env`` files: ``KEY=value`` lines, quoted or not, with comments."""

from __future__ import annotations

import json
import re
from pathlib import Path

from flowyard._util.suggest import missing_file_hint
from flowyard.errors import UserError

__all__ = ["parse_env", "read_env"]

_ASSIGNMENT = re.compile(r"(?:export\s+)?([^\s=#'\"][^=#'\"]*?)\s*=\s*(.*)", re.DOTALL)
_COMMENT = re.compile(r"(?:^|\s)#.*")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def read_env(path: Path) -> dict[str, str]:
    """The variables of a file. Raises UserError with file:line, never showing a value."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"File not found: {path}", hint=missing_file_hint(path)) from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8 text.") from None
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.") from None
    return parse_env(text, str(path))


def parse_env(text: str, label: str = ".env") -> dict[str, str]:
    """The variables in a text; a later line wins. ``label`` names the text in errors."""
    values: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        match = _ASSIGNMENT.fullmatch(stripped)
        where = f"{label}:{number}"
        if match is None:
            raise UserError("Expected KEY=value.", where=where, hint="Start a comment with '#'.")
        values[match[1]] = _value(match[2], where)
    return values


def _value(text: str, where: str) -> str:
    if text[:1] in ("'", '"'):
        return _quoted(text, where)
    if text.startswith("{"):
        return _json_object(text)
    return _COMMENT.sub("", text).strip()


def _quoted(text: str, where: str) -> str:
    quote, taken, index = text[0], [], 1
    while index < len(text) and text[index] != quote:
        if quote == '"' and text[index] == "\\" and index + 1 < len(text):
            index += 1
            taken.append(_ESCAPES.get(text[index], text[index] if text[index] in '\\"$`' else "\\" + text[index]))
        else:
            taken.append(text[index])
        index += 1
    if index >= len(text):
        raise UserError(f"The quote {quote} is not closed on this line.", where=where)
    if _COMMENT.sub("", text[index + 1 :]).strip():
        hint = "Write JSON without quotes around it, or inside single quotes."
        raise UserError(f"There is text after the closing quote {quote}.", where=where, hint=hint)
    return "".join(taken)


def _json_object(text: str) -> str:
    """A JSON object may hold '#'; only what follows the object can be a comment."""
    try:
        _, end = json.JSONDecoder().raw_decode(text)
    except ValueError:
        return text
    return text[:end] if not _COMMENT.sub("", text[end:]).strip() else text

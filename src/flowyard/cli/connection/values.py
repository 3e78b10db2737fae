"""``--set`` values of connections: plain, from stdin (``@-``), from a file (``@FILE``) or by ``${env:NAME}``."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from flowyard.cli.shared.options import pairs
from flowyard.errors import UserError

__all__ = ["SetValues", "read_set_values"]

_REFERENCE = re.compile(r"\$\{env:[^}]+\}")


@dataclass(frozen=True, slots=True)
class SetValues:
    """The values by key, and the keys whose values stood on the command line itself."""

    values: dict[str, str] = field(repr=False)
    plain: tuple[str, ...]


def read_set_values(items: Iterable[str]) -> SetValues:
    """The values of ``--set``; ``@@text`` is the text ``@text``. Raises UserError, never showing a value."""
    listed = list(items)
    for item in listed:
        if not item.partition("=")[1] or not item.partition("=")[0].strip():
            raise UserError("--set takes name=value, and one of its items has no name or no '='.")
    given = pairs(listed, "--set")
    if list(given.values()).count("@-") > 1:
        raise UserError("Only one --set value can come from stdin (@-).")
    values = {key: _value(key, text) for key, text in given.items()}
    return SetValues(values, tuple(key for key, text in given.items() if _is_plain(text)))


def _is_plain(text: str) -> bool:
    from_elsewhere = text.startswith("@") and not text.startswith("@@")
    return bool(text.strip("*")) and not from_elsewhere and not _REFERENCE.fullmatch(text) and not text.startswith("<")


def _value(key: str, text: str) -> str:
    if text.startswith("@@"):
        return text[1:]
    if not text.startswith("@"):
        return text
    found = _from_stdin(key) if text == "@-" else _from_file(key, Path(text[1:]))
    if not found:
        raise UserError(f"--set {key}=@…: there is nothing in it.")
    return found


def _from_stdin(key: str) -> str:
    if sys.stdin.isatty():
        hint = f"Give '{key}=<user-input>' to be asked."
        raise UserError(f"--set {key}=@- reads stdin, which is a terminal.", hint=hint)
    return sys.stdin.read().strip()


def _from_file(key: str, file: Path) -> str:
    try:
        return file.expanduser().read_text(encoding="utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        # The text may be a secret that happens to start with @, so it is not repeated.
        hint = "A value that itself starts with @ is written with two: @@…"
        raise UserError(f"--set {key}=@…: cannot read the file named there: {why}.", hint=hint) from None

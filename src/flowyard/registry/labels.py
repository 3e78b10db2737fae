"""How people name a version: ``NAME``, ``NAME:VERSION`` or ``NAME@ALIAS``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from flowyard.errors import UserError

__all__ = ["Label", "parse_label", "require_alias", "require_name"]

_PREFIX = "registry:"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_ALIAS = re.compile(r"[A-Za-z][A-Za-z0-9._@-]{0,99}")


@dataclass(frozen=True, slots=True)
class Label:
    """A name, and the version or the alias as they were written; None for what was not."""

    name: str
    version: str | None = None
    alias: str | None = None


def parse_label(text: str) -> Label:
    """The parts of a label; ``registry:`` may stand before. The first ``@`` ends the name, an alias may hold more.

    Raises UserError for a name that cannot be.
    """
    name, sign, rest = re.fullmatch(r"([^:@]*)([:@]?)(.*)", text.removeprefix(_PREFIX), re.DOTALL).groups()  # type: ignore[union-attr]
    require_name(name)
    return Label(name, version=rest if sign == ":" else None, alias=rest if sign == "@" else None)


def require_name(name: str) -> str:
    """The name, if it can be one. Raises UserError."""
    if not _NAME.fullmatch(name):
        hint = "Use letters, digits, dots, dashes and underscores, a letter or digit first, at most 100."
        raise UserError(f"{name!r} is no name in a registry.", hint=hint)
    return name


def require_alias(alias: str) -> str:
    """The alias, if it can be one. Raises UserError."""
    if not _ALIAS.fullmatch(alias):
        hint = "Use a letter, then letters, digits and . _ @ -, for example production@dev; at most 100."
        raise UserError(f"{alias!r} is no alias.", hint=hint)
    return alias

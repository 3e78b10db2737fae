"""Requests and tokens a minute of a connection, as a person writes them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flowyard._util.suggest import did_you_mean
from flowyard.errors import UserError

__all__ = ["EVERY_CONNECTION", "RateLimit", "limit_of", "parse_limits", "read_limits"]

EVERY_CONNECTION = "*"
"""The name that stands for each connection without a limit of its own."""

_FORM = "Write connection=rpm:600,tpm:90000"
LIMIT_WORDS = ("rpm", "tpm")


@dataclass(frozen=True, slots=True)
class RateLimit:
    """``rpm`` requests and ``tpm`` tokens a minute; None is no limit."""

    rpm: float | None = None
    tpm: float | None = None


def limit_of(limits: Mapping[str, RateLimit], connection: str | None) -> RateLimit:
    """The limit of one connection; an unlimited one when nothing is said about it."""
    found = limits.get(connection) if connection else None
    return found or limits.get(EVERY_CONNECTION) or RateLimit()


def parse_limits(items: Iterable[str], option: str = "--limits") -> dict[str, RateLimit]:
    """Limits by connection from ``connection=rpm:600,tpm:90000``. Raises UserError."""
    found: dict[str, RateLimit] = {}
    for item in items:
        name, equals, text = item.rpartition("=")
        if not equals or not name.strip():
            raise UserError(f"{option} takes the limits of a connection, not {item!r}.", hint=_FORM)
        found[name.strip()] = _parse(text, f"{option} {item}")
    return found


def read_limits(block: Any, where: str | None = None) -> dict[str, RateLimit]:
    """Limits from the block ``limits:`` of a YAML file: ``{connection: {rpm: 600}}`` or ``{connection: rpm:600}``.

    Raises UserError.
    """
    if not isinstance(block, Mapping):
        raise UserError("'limits' is not a mapping of connections.", hint="my_connection: {rpm: 600}", where=where)
    return {str(name): _read(value, f"limits.{name}", where) for name, value in block.items()}


def _read(value: Any, label: str, where: str | None) -> RateLimit:
    if isinstance(value, str):
        return _parse(value, label, where)
    if not isinstance(value, Mapping) or not value:
        raise UserError(f"{label}: a limit is a mapping with rpm, tpm or both.", hint="{rpm: 600}", where=where)
    return RateLimit(**{_word(str(key), label, where): _number(each, label, where) for key, each in value.items()})


def _parse(text: str, label: str, where: str | None = None) -> RateLimit:
    values: dict[str, float] = {}
    for part in text.split(","):
        word, colon, number = part.partition(":")
        if not colon:
            raise UserError(f"{label}: {part!r} is not a limit.", hint=_FORM, where=where)
        values[_word(word.strip(), label, where)] = _number(number.strip(), label, where)
    return RateLimit(**values)


def _word(word: str, label: str, where: str | None) -> str:
    if word not in LIMIT_WORDS:
        hint = did_you_mean(word, LIMIT_WORDS) or "rpm: requests a minute, tpm: tokens a minute."
        raise UserError(f"{label}: unknown limit {word!r}.", hint=hint, where=where)
    return word


def _number(value: Any, label: str, where: str | None) -> float:
    try:
        number = float(value) if not isinstance(value, bool) else math.nan
    except (TypeError, ValueError):
        number = math.nan
    if not 0 < number < math.inf:
        raise UserError(f"{label}: a limit is a number above 0, not {value!r}.", hint=_FORM, where=where)
    return number

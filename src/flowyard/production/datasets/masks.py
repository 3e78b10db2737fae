"""Hiding what is personal in lines of a dataset: whole columns by their names, and forms such as e-mail addresses."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from flowyard._util.suggest import did_you_mean
from flowyard.errors import UserError
from flowyard.production.datasets.lines import DatasetLine

__all__ = ["FORMS", "MASKED", "Masks", "parse_masks", "require_columns"]

MASKED = "[masked]"
"""What stands in the place of a column's values; a form leaves its name, such as ``[email]``."""

_ALL = "personal"
_SAID = ("label", "comment", "judgements")
"""Columns of our own in which there may be texts of people and models."""


def _has_luhn_sum(text: str) -> bool:
    """Whether the digits are those of a payment card: the sum that ISO/IEC 7812-1 asks for."""
    digits = [int(each) for each in text if each.isdigit()]
    doubled = sum(sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return 13 <= len(digits) <= 19 and (sum(digits[-1::-2]) + doubled) % 10 == 0


def _is_iban(text: str) -> bool:
    """Whether the check digits are right: ISO 13616, by ISO/IEC 7064 MOD 97-10."""
    plain = text.replace(" ", "")
    return 15 <= len(plain) <= 34 and int("".join(str(int(each, 36)) for each in plain[4:] + plain[:4])) % 97 == 1


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _always(_text: str) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class _Form:
    """What it looks like, and whether a text that looks so is one. Repetitions have ends: texts are anybody's."""

    pattern: re.Pattern[str]
    is_one: Callable[[str], bool] = _always


FORMS: Mapping[str, _Form] = {
    "email": _Form(re.compile(r"(?<![\w.+%-])[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")),
    "iban": _Form(re.compile(r"(?<!\w)[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?!\w)"), _is_iban),
    "card": _Form(re.compile(r"(?<![\w.])[0-9](?:[ -]?[0-9]){12,18}(?!\w)"), _has_luhn_sum),
    "ip": _Form(re.compile(r"(?<![\w.:])(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9A-Fa-f:]{4,39})(?![\w:])"), _is_address),
    "phone": _Form(
        re.compile(
            r"(?<![\w.])(?:(?:\+|00|\(?0)[0-9](?:[ ()./-]{0,2}[0-9]){5,13}"
            r"|\(?[0-9]{3}[ ).-]{1,2}[0-9]{3}[ .-][0-9]{4})(?!\w)"
        )
    ),
}
"""In the order in which they are looked for."""


@dataclass(frozen=True, slots=True)
class Masks:
    """``columns`` are hidden as a whole, ``forms`` wherever they are in what people and models wrote."""

    columns: frozenset[str] = frozenset()
    forms: tuple[str, ...] = ()

    def line(self, line: DatasetLine) -> DatasetLine:
        """The line without what is masked; values that are missing stay so."""
        return {name: self._value(name, value) for name, value in line.items()} if self.columns or self.forms else line

    def inputs(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The same for the inputs of an exchange."""
        return {name: self._value(f"inputs.{name}", value) for name, value in inputs.items()}

    def _value(self, column: str, value: Any) -> Any:
        if column in self.columns:
            return None if value is None else MASKED
        return self._hidden(value) if column in _SAID or column.startswith(("inputs.", "outputs.")) else value

    def _hidden(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, Mapping):
            return {self._text(str(name)): self._hidden(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self._hidden(each) for each in value]
        is_long = "card" in self.forms and type(value) is int and 10**12 <= value < 10**19
        return "[card]" if is_long and _has_luhn_sum(str(value)) else value

    def _text(self, text: str) -> str:
        for name in self.forms:
            form, word = FORMS[name], f"[{name}]"
            text = form.pattern.sub(
                lambda found, form=form, word=word: word if form.is_one(found[0]) else found[0],  # type: ignore[misc]
                text,
            )
        return text


def parse_masks(words: Sequence[str]) -> Masks:
    """What ``--mask`` says: names of FORMS, ``personal`` for all of them, or columns. Raises UserError."""
    for word in words:
        is_column = word in _SAID[:2] or (word.startswith(("inputs.", "outputs.")) and not word.endswith("."))
        if word != _ALL and word not in FORMS and not is_column:
            near = did_you_mean(word, (_ALL, *FORMS, *_SAID[:2]))
            hint = near or f"{_ALL}, {', '.join(FORMS)}, or a column: inputs.NAME, outputs.NAME, label, comment"
            raise UserError(f"--mask cannot be {word!r}.", hint=hint)
    columns = frozenset(word for word in words if word != _ALL and word not in FORMS)
    return Masks(columns, tuple(name for name in FORMS if name in words or _ALL in words))


def require_columns(lines: Iterable[DatasetLine], masks: Masks) -> Iterator[DatasetLine]:
    """The lines. Raises UserError after the last one when no line had a column that should be hidden: it may be
    there under another name.
    """
    missing, known, is_empty = set(masks.columns) - set(_SAID), set[str](), True
    for line in lines:
        is_empty = False
        missing -= line.keys()
        known |= line.keys() if missing else set()
        yield line
    if missing and not is_empty:
        hint = did_you_mean(min(missing), sorted(known)) or "Without it, nothing of that name is kept anyway."
        raise UserError(f"--mask: no line has a column {', '.join(sorted(missing))}; nothing was kept.", hint=hint)

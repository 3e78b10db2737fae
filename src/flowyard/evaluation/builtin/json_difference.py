"""Where two JSON values differ first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["JsonComparison"]


@dataclass(frozen=True, slots=True)
class JsonComparison:
    """The rules by which two values are the same: 1 and 1.0 are, 1 and true are not.

    ``partly``: objects may have keys that are not expected.
    """

    ignore_order: bool = False
    ignore_keys: frozenset[str] = frozenset()
    tolerance: float = 0.0
    partly: bool = False

    def same(self, given: Any, expected: Any) -> bool:
        """Whether both are the same."""
        return self.difference(given, expected) is None

    def difference(self, given: Any, expected: Any, place: str = "$") -> str | None:
        """The first place where they differ, and how, in a sentence; None when they are the same."""
        if isinstance(given, Mapping) and isinstance(expected, Mapping):
            return self._of_objects(given, expected, place)
        if isinstance(given, list | tuple) and isinstance(expected, list | tuple):
            if len(given) != len(expected):
                return f"{place}: {len(given)} items, expected {len(expected)}."
            return (
                self._of_sets(given, expected, place) if self.ignore_order else self._of_lists(given, expected, place)
            )
        return None if self._same_single(given, expected) else f"{place}: {_shown(given)}, expected {_shown(expected)}."

    def _of_objects(self, given: Mapping[str, Any], expected: Mapping[str, Any], place: str) -> str | None:
        for key, value in expected.items():
            if key in self.ignore_keys:
                continue
            if key not in given:
                return f"{place}.{key}: missing."
            found = self.difference(given[key], value, f"{place}.{key}")
            if found is not None:
                return found
        more = [key for key in given if key not in expected and key not in self.ignore_keys]
        return f"{place}.{more[0]}: not expected." if more and not self.partly else None

    def _of_lists(self, given: Sequence[Any], expected: Sequence[Any], place: str) -> str | None:
        pairs = enumerate(zip(given, expected, strict=True))
        differences = (self.difference(one, other, f"{place}[{index}]") for index, (one, other) in pairs)
        return next((each for each in differences if each is not None), None)

    def _of_sets(self, given: Sequence[Any], expected: Sequence[Any], place: str) -> str | None:
        partners = match_up([[self.same(one, other) for other in expected] for one in given])
        alone = next((index for index, partner in enumerate(partners) if partner is None), None)
        return None if alone is None else f"{place}[{alone}]: {_shown(given[alone])} is not among what is expected."

    def _same_single(self, given: Any, expected: Any) -> bool:
        if isinstance(given, bool) or isinstance(expected, bool):
            return given is expected
        if isinstance(given, int | float) and isinstance(expected, int | float):
            return given == expected or abs(given - expected) <= self.tolerance
        return type(given) is type(expected) and bool(given == expected)


def match_up(fits: Sequence[Sequence[bool]]) -> list[int | None]:
    """For each row the column that is its partner, so that as many rows as possible have one of their own."""
    owner: dict[int, int] = {}

    def place(row: int, tried: set[int]) -> bool:
        free = next((column for column, fit in enumerate(fits[row]) if fit and column not in owner), None)
        if free is not None:
            owner[free] = row
            return True
        for column, fit in enumerate(fits[row]):
            if fit and column not in tried:
                tried.add(column)
                if place(owner[column], tried):
                    owner[column] = row
                    return True
        return False

    for row in range(len(fits)):
        place(row, set())
    partners: list[int | None] = [None] * len(fits)
    for column, row in owner.items():
        partners[row] = column
    return partners


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"

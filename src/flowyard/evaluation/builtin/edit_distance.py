"""Levenshtein's distance, in whole columns at once: Myers' bit vectors in Hyyrö's form, on Python's long integers."""

from __future__ import annotations

from typing import Any

from flowyard.evaluation.builtin.given import require_expected, text_of

__all__ = ["EditDistance", "edit_distance"]


class EditDistance:
    """How many letters have to be added, taken away or changed."""

    def __init__(self, ignore_case: bool = False) -> None:
        self._ignore_case = ignore_case

    def __call__(self, *, answer: Any, ground_truth: Any) -> dict[str, float]:
        """``edit_similarity`` and ``edit_distance``. Raises LineError without an expected text."""
        given, expected = text_of(answer), text_of(require_expected(ground_truth))
        if self._ignore_case:
            given, expected = given.casefold(), expected.casefold()
        distance = edit_distance(given, expected)
        longer = max(len(given), len(expected))
        return {"edit_similarity": 1 - distance / longer if longer else 1.0, "edit_distance": distance}


def edit_distance(first: str, second: str) -> int:
    """The distance of two texts: one step for each letter of the longer one, on integers as wide as the shorter one."""
    if len(first) > len(second):
        first, second = second, first
    if not first:
        return len(second)
    places: dict[str, int] = {}
    for index, letter in enumerate(first):
        places[letter] = places.get(letter, 0) | 1 << index
    ones, last = (1 << len(first)) - 1, 1 << len(first) - 1
    more, less, distance = ones, 0, len(first)  # where the column rises and falls from one row to the next
    for letter in second:
        equal = places.get(letter, 0)
        flat = (((equal & more) + more) ^ more) | equal | less
        rises, falls = less | (ones & ~(flat | more)), more & flat
        distance += bool(rises & last) - bool(falls & last)
        rises, falls = (rises << 1 | 1) & ones, falls << 1 & ones
        more, less = falls | (ones & ~(flat | rises)), rises & flat
    return distance

"""The script that a text is written in, by Unicode's names of its letters. It tells alphabets apart, not languages:
English and French are both latin.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from functools import lru_cache

__all__ = ["script_of"]

_MOST = 2000
_JAPANESE = frozenset({"hiragana", "katakana"})


def script_of(text: str) -> str:
    """The script of most letters among the first 2,000 characters: ``latin``, ``cyrillic``, ``cjk``, …; or ``none``.

    A text with any Japanese syllables among Chinese characters is ``japanese``.
    """
    counts: Counter[str] = Counter()
    for character, count in Counter(text[:_MOST]).items():
        if script := _script(character):
            counts[script] += count
    if not counts:
        return "none"
    if _JAPANESE & counts.keys() and sum(counts[each] for each in (*_JAPANESE, "cjk")) * 2 >= counts.total():
        return "japanese"
    return min(counts, key=lambda script: (-counts[script], script))


@lru_cache(maxsize=20_000)
def _script(character: str) -> str:
    """The first word of a letter's name; empty for what is no letter."""
    if not character.isalpha():
        return ""
    name = unicodedata.name(character, "other").removeprefix("FULLWIDTH ").removeprefix("HALFWIDTH ")
    return name.split()[0].split("-")[0].lower()

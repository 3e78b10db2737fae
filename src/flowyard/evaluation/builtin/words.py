"""Texts to words, as promptflow's text metrics split them: the scores depend on it to the last digit."""

from __future__ import annotations

import re
from typing import Any

from flowyard.evaluation.builtin.libraries import require_library, require_nltk_data

__all__ = ["WordSplitter"]

_PLAIN = re.compile(r"[ -~\xa0-\xff]*")
"""Printable ASCII and Latin-1: such a text is split as English, any other (also one with line breaks) by Unicode."""


class WordSplitter:
    """Splits text into words and marks. ``metric`` is what needs it, for errors. Raises ExtraMissing."""

    def __init__(self, metric: str) -> None:
        require_nltk_data("tokenizers/punkt_tab/english/", metric)
        self._english = require_library("nltk.tokenize", metric)
        self._entities = require_library("nltk.tokenize.util", metric)
        self._steps = _international(require_library("regex", metric))

    def split(self, text: str) -> list[str]:
        """The words of a text, in order."""
        if _PLAIN.fullmatch(text):
            words: list[str] = self._english.word_tokenize(text)
            return words
        text = self._entities.xml_unescape(text.replace("<skipped>", "").replace("\u2028", " "))
        for pattern, replacement in self._steps:
            text = pattern.sub(replacement, text)
        return text.split()


def _international(regex: Any) -> list[tuple[Any, str]]:
    """The rules of NIST's ``mteval`` for any language, as NLTK has them, without the data set that NLTK reads for them.

    Text is cut between ASCII and the rest, between a letter or sign and a mark, and around symbols. The lists that NLTK
    reads stop at U+FFFF and have neither Chinese characters nor Korean syllables among the letters.
    """
    sign = r"[[\p{L}\p{M}\p{P}\p{S}]&&[!-\uffff]--[\p{Ideographic}\uac00-\ud7a3\u2e80-\u2fd5]]"
    mark, symbol = r"[\p{P}&&[!-\uffff]]", r"[\p{S}&&[!-\uffff]]"
    return [
        (regex.compile(pattern, regex.VERSION1), replacement)
        for pattern, replacement in (
            (r"([\x00-\x7f]+)", r" \1 "),
            (f"({sign})({mark})", r"\1 \2 "),
            (f"({mark})({sign})", r" \1 \2"),
            (f"({symbol})", r" \1 "),
        )
    ]

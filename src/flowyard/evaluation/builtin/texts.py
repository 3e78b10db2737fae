"""Evaluators that look at an answer as text, and say yes (1) or no (0)."""

from __future__ import annotations

import re
import string
from typing import Any

from flowyard.errors import LineError, UserError
from flowyard.evaluation.builtin.given import require_expected, text_of

__all__ = ["Contains", "ContainsAll", "ContainsAny", "ExactMatch", "Length", "Regex", "StartsWith", "plain_words"]

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def plain_words(text: str) -> list[str]:
    """The words as SQuAD compares them: without case, punctuation and articles."""
    return _ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split()


class ExactMatch:
    """Whether two texts are equal; ``normalize`` compares their plain words."""

    def __init__(self, ignore_case: bool = False, strip: bool = False, normalize: bool = False) -> None:
        self._ignore_case = ignore_case
        self._strip = strip
        self._normalize = normalize

    def __call__(self, *, answer: Any, ground_truth: Any) -> dict[str, int]:
        """``exact_match``. Raises LineError without an expected value."""
        expected = self._form(text_of(require_expected(ground_truth)))
        return {"exact_match": int(answer is not None and self._form(text_of(answer)) == expected)}

    def _form(self, text: str) -> str:
        if self._normalize:
            return " ".join(plain_words(text))
        text = text.strip() if self._strip else text
        return text.casefold() if self._ignore_case else text


class _Search:
    """Looks for texts in an answer: those of the line, or ``expected`` for all lines."""

    def __init__(self, expected: Any = None, ignore_case: bool = False) -> None:
        self._expected = expected
        self._ignore_case = ignore_case

    def _found(self, answer: Any, ground_truth: Any) -> list[bool]:
        """For each text whether it is in the answer."""
        wanted = require_expected(ground_truth if self._expected is None else self._expected)
        texts = [self._form(each) for each in (wanted if isinstance(wanted, list | tuple) else [wanted])]
        if not texts:
            raise LineError("The list of expected texts is empty.", hint="Name at least one text.")
        given = self._form(answer)
        return [self._fits(given, text) for text in texts]

    def _fits(self, answer: str, text: str) -> bool:
        return text in answer

    def _form(self, value: Any) -> str:
        return text_of(value).casefold() if self._ignore_case else text_of(value)


class Contains(_Search):
    """Whether the answer has the text; of a list of texts, all."""

    def __call__(self, *, answer: Any, ground_truth: Any = None) -> dict[str, int]:
        """``contains``. Raises LineError without an expected text."""
        return {"contains": int(all(self._found(answer, ground_truth)))}


class ContainsAny(_Search):
    """Whether the answer has one of the texts."""

    def __call__(self, *, answer: Any, ground_truth: Any = None) -> dict[str, int]:
        """``contains_any``. Raises LineError without an expected text."""
        return {"contains_any": int(any(self._found(answer, ground_truth)))}


class ContainsAll(_Search):
    """Whether the answer has all of the texts, and how many of them."""

    def __call__(self, *, answer: Any, ground_truth: Any = None) -> dict[str, float]:
        """``contains_all`` and ``share_found``. Raises LineError without an expected text."""
        found = self._found(answer, ground_truth)
        return {"contains_all": int(all(found)), "share_found": sum(found) / len(found)}


class StartsWith(_Search):
    """Whether the answer begins with the text; of a list of texts, with one."""

    def __call__(self, *, answer: Any, ground_truth: Any = None) -> dict[str, int]:
        """``starts_with``. Raises LineError without an expected text."""
        return {"starts_with": int(any(self._found(answer, ground_truth)))}

    def _fits(self, answer: str, text: str) -> bool:
        return answer.startswith(text)


class Regex:
    """Whether a regular expression finds something in the answer.

    ``re`` knows no time limit. The pattern is the user's own, from ``experiment.yaml``; that the answers it is put to
    are not, is what ``--line-timeout`` is for. Raises UserError for a pattern that is none.
    """

    def __init__(self, pattern: str, ignore_case: bool = False, full: bool = False) -> None:
        try:
            compiled = re.compile(pattern, re.IGNORECASE if ignore_case else 0)
        except (re.error, TypeError) as error:
            raise UserError(f"'pattern' is not a regular expression of Python: {error}.") from None
        self._find = compiled.fullmatch if full else compiled.search

    def __call__(self, *, answer: Any) -> dict[str, int]:
        """``regex``."""
        return {"regex": int(answer is not None and self._find(text_of(answer)) is not None)}


class Length:
    """How many characters, words or lines the answer has. Raises UserError for another unit."""

    _UNITS = ("characters", "words", "lines")

    def __init__(self, unit: str = "characters", minimum: int | None = None, maximum: int | None = None) -> None:
        if unit not in self._UNITS:
            raise UserError(f"'unit' is {unit!r}.", hint=f"Write one of: {', '.join(self._UNITS)}.")
        self._unit = unit
        self._minimum = minimum
        self._maximum = maximum

    def __call__(self, *, answer: Any) -> dict[str, int]:
        """``length`` and ``length_fits``."""
        text = text_of(answer)
        pieces = {"characters": text, "words": text.split(), "lines": text.splitlines()}[self._unit]
        length = len(pieces)
        fits = (self._minimum is None or length >= self._minimum) and (self._maximum is None or length <= self._maximum)
        return {"length": length, "length_fits": int(fits)}

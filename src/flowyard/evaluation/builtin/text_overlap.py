"""Scores of an answer by the words it shares with the expected one; no model is asked.

Each is called with ``answer`` and ``ground_truth`` by name and returns its scores by name, from 0 to 1. Other keywords
are ignored, so that all can be called with one row.
"""

from __future__ import annotations

import re
import string
import threading
from collections import Counter
from enum import StrEnum
from typing import Any

from flowyard.evaluation.builtin.libraries import open_wordnet, require_library
from flowyard.evaluation.builtin.words import WordSplitter

__all__ = ["BleuScore", "F1Score", "GleuScore", "MeteorScore", "RougeScore", "RougeType", "plain_words"]

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


class F1Score:
    """The harmonic mean of the shares of common words, as SQuAD counts them: without case, punctuation and articles."""

    def __call__(self, *, answer: str, ground_truth: str, **_others: Any) -> dict[str, float]:
        """``f1_score``. Raises ValueError when a text is empty."""
        for name, text in (("answer", answer), ("ground_truth", ground_truth)):
            if not text or not text.strip() or text == "None":
                raise ValueError(f"{name!r} is empty: both 'answer' and 'ground_truth' must be non-empty strings.")
        given, expected = plain_words(answer), plain_words(ground_truth)
        common = sum((Counter(given) & Counter(expected)).values())
        if not common:
            return {"f1_score": 0.0}
        precision, recall = common / len(given), common / len(expected)
        return {"f1_score": 2 * precision * recall / (precision + recall)}


def plain_words(text: str) -> list[str]:
    """The words as SQuAD compares them: without case, punctuation and articles."""
    return _ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split()


class BleuScore:
    """BLEU of one sentence up to four words in a row, smoothed by NLTK's method 4. Raises ExtraMissing."""

    def __init__(self) -> None:
        self._bleu = require_library("nltk.translate.bleu_score", "BLEU")
        self._words = WordSplitter("BLEU")

    def __call__(self, *, answer: str, ground_truth: str, **_others: Any) -> dict[str, float]:
        """``bleu_score``."""
        smoothed = self._bleu.SmoothingFunction().method4
        expected, given = self._words.split(ground_truth), self._words.split(answer)
        return {"bleu_score": float(self._bleu.sentence_bleu([expected], given, smoothing_function=smoothed))}


class GleuScore:
    """Google's BLEU of one sentence: the lower of precision and recall up to four words in a row.

    Raises ExtraMissing.
    """

    def __init__(self) -> None:
        self._gleu = require_library("nltk.translate.gleu_score", "GLEU")
        self._words = WordSplitter("GLEU")

    def __call__(self, *, answer: str, ground_truth: str, **_others: Any) -> dict[str, float]:
        """``gleu_score``."""
        expected, given = self._words.split(ground_truth), self._words.split(answer)
        return {"gleu_score": float(self._gleu.sentence_gleu([expected], given))}


class MeteorScore:
    """METEOR of one sentence: words that are equal, have one stem, or are synonyms in WordNet, and their order.

    ``alpha`` weighs precision against recall; ``beta`` and ``gamma`` say how much scattered matches cost. Raises
    ExtraMissing, also when WordNet is missing: without synonyms the score would be another one.
    """

    _one_at_a_time = threading.Lock()  # NLTK seeks in the open files of WordNet

    def __init__(self, alpha: float = 0.9, beta: float = 3.0, gamma: float = 0.5) -> None:
        self._weights = {"alpha": alpha, "beta": beta, "gamma": gamma}
        self._meteor = require_library("nltk.translate.meteor_score", "METEOR")
        self._words = WordSplitter("METEOR")
        self._wordnet = open_wordnet("METEOR")

    def __call__(self, *, answer: str, ground_truth: str, **_others: Any) -> dict[str, float]:
        """``meteor_score``."""
        expected, given = self._words.split(ground_truth), self._words.split(answer)
        with self._one_at_a_time:
            score = self._meteor.single_meteor_score(expected, given, wordnet=self._wordnet, **self._weights)
        return {"meteor_score": float(score)}


class RougeType(StrEnum):
    """What ROUGE compares: runs of one to five words, or the longest common sequence."""

    ROUGE_1 = "rouge1"
    ROUGE_2 = "rouge2"
    ROUGE_3 = "rouge3"
    ROUGE_4 = "rouge4"
    ROUGE_5 = "rouge5"
    ROUGE_L = "rougeL"


class RougeScore:
    """ROUGE without stemming. Raises ExtraMissing, and ValueError for a type that does not exist."""

    def __init__(self, rouge_type: RougeType | str) -> None:
        self._type = RougeType(rouge_type).value
        self._scorer = require_library("rouge_score.rouge_scorer", "ROUGE").RougeScorer([self._type])

    def __call__(self, *, answer: str, ground_truth: str, **_others: Any) -> dict[str, float]:
        """``rouge_precision``, ``rouge_recall`` and ``rouge_f1_score``."""
        score = self._scorer.score(ground_truth, answer)[self._type]
        return {
            "rouge_precision": float(score.precision),
            "rouge_recall": float(score.recall),
            "rouge_f1_score": float(score.fmeasure),
        }

"""Find the passages of the corpus that fit a question best, by BM25: no index to build, no service to ask."""

import math
import re
from collections import Counter
from functools import lru_cache
from pathlib import Path

from promptflow.core import tool

CORPUS = Path(__file__).parent / "corpus"
WORD = re.compile(r"[a-z0-9]+")
COMMON = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "at",
        "be",
        "can",
        "do",
        "does",
        "for",
        "from",
        "how",
        "i",
        "in",
        "is",
        "it",
        "my",
        "of",
        "on",
        "or",
        "the",
        "there",
        "to",
        "until",
        "what",
        "when",
        "you",
    ]
)
SATURATION, LENGTH = 1.5, 0.75


def words(text: str) -> list[str]:
    """The words that tell passages apart, without the s of a plural."""
    return [word.removesuffix("s") for word in WORD.findall(text.lower()) if word not in COMMON]


@lru_cache(maxsize=1)
def passages() -> tuple[tuple[str, str, Counter], ...]:
    """Each paragraph with its page, under the page's heading: name, text and how often each word is in it."""
    found = []
    for page in sorted(CORPUS.glob("*.md")):
        heading, *paragraphs = [part.strip() for part in page.read_text(encoding="utf-8").split("\n\n") if part.strip()]
        found += [(page.name, text, Counter(words(f"{heading} {text}"))) for text in paragraphs]
    return tuple(found)


def score(question: list[str], counts: Counter) -> float:
    every = passages()
    usual = sum(sum(each.values()) for _, _, each in every) / len(every)
    total = 0.0
    for word in set(question) & counts.keys():
        having = sum(word in each for _, _, each in every)
        rare = math.log(1 + (len(every) - having + 0.5) / (having + 0.5))
        size = SATURATION * (1 - LENGTH + LENGTH * sum(counts.values()) / usual)
        total += rare * counts[word] * (SATURATION + 1) / (counts[word] + size)
    return total


@tool
def retrieve(question: str, most: int) -> list[dict]:
    """At most so many passages, the best first; none when no word of the question is anywhere."""
    asked = words(question)
    ranked = sorted(((score(asked, counts), page, text) for page, text, counts in passages()), reverse=True)
    return [
        {"source": page, "text": text, "score": round(found, 3)} for found, page, text in ranked[:most] if found > 0
    ]

"""What a feedback says: whether it is positive, its score, the answer that would have been right, a comment.

People's clients send what they like, so the rules are few and stand in docs/monitoring.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["NO_OPINION", "Opinion", "opinion_of"]

_VERDICTS = ("thumbs", "thumb", "vote", "positive", "helpful", "liked", "like", "sentiment")
_RATINGS = ("rating", "stars")
_LABELS = ("label", "correction", "expected", "ground_truth", "correct_answer")
_COMMENTS = ("comment", "reason", "text")
_UP = frozenset(
    {"up", "thumbs up", "thumbsup", "positive", "good", "like", "liked", "helpful", "yes", "true", "1", "+1", "👍"}
)
_DOWN = frozenset(
    {"down", "thumbs down", "thumbsdown", "negative", "bad", "dislike", "disliked", "unhelpful", "no", "false", "0"}
    | {"-1", "👎"}
)
_GOOD_STARS, _BAD_STARS, _MOST_STARS = 4, 2, 5


@dataclass(frozen=True, slots=True)
class Opinion:
    """``positive`` is None when it says neither; ``score`` is 0 to 1 where it follows our rules."""

    positive: bool | None = None
    score: float | None = None
    label: Any = None
    comment: str | None = None


NO_OPINION = Opinion()


def opinion_of(feedback: Mapping[str, Any]) -> Opinion:
    """What the ``feedback`` of a record says; whatever it is, this does not fail."""
    said: Any = feedback
    if isinstance(said, Mapping) and set(said) == {"feedback"}:
        said = said["feedback"]
    if not isinstance(said, Mapping):
        comment = said if isinstance(said, str) and _verdict(said) is None else None
        return Opinion(_verdict(said), None, None, comment)
    named = {str(name).strip().lower(): value for name, value in said.items()}
    stars = next((value for name in _RATINGS if (value := _number(named.get(name))) is not None), None)
    given = _number(named.get("score"))
    score = given if given is not None else _star_score(stars)
    verdicts = (
        _verdict(named.get(name)) for name in (*_VERDICTS, *_RATINGS[:1], "feedback") if not _is_star(name, named)
    )
    positive = next((each for each in verdicts if each is not None), None)
    if positive is None:
        positive = _star_verdict(stars) if stars is not None else _score_verdict(given)
    return Opinion(positive, score, _first(named, _LABELS), _comment(named))


def _is_star(name: str, named: Mapping[str, Any]) -> bool:
    return name in _RATINGS and _number(named.get(name)) is not None


def _verdict(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        word = value.strip().lower().replace("_", " ").replace("-", " ", 1 if value.strip() != "-1" else 0)
        return True if word in _UP else False if word in _DOWN else None
    number = _number(value)
    return None if number is None else number > 0


def _star_score(stars: float | None) -> float | None:
    return (stars - 1) / (_MOST_STARS - 1) if stars is not None and 1 <= stars <= _MOST_STARS else None


def _star_verdict(stars: float) -> bool | None:
    if not 1 <= stars <= _MOST_STARS:
        return None
    return True if stars >= _GOOD_STARS else False if stars <= _BAD_STARS else None


def _score_verdict(score: float | None) -> bool | None:
    return score >= 0.5 if score is not None and 0 <= score <= 1 else None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _first(named: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((named[name] for name in names if named.get(name) is not None), None)


def _comment(named: Mapping[str, Any]) -> str | None:
    comment = _first(named, _COMMENTS)
    if comment is None and isinstance(named.get("feedback"), str) and _verdict(named["feedback"]) is None:
        comment = named["feedback"]
    return comment if isinstance(comment, str) else None

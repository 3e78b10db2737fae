"""The form of a judge's answer, and reading it: strictly, because a grade that was not given must not be made up."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flowyard.evaluation.judges.scale import Choice, Scale

__all__ = ["Judgement", "NoGrade", "answer_schema", "parse_judgement", "response_format"]

_FENCED = re.compile(r"\A\s*```(?:json)?\s*\n(.*)\n\s*```\s*\Z", re.DOTALL)
_MOST_REASON = 2000
_MOST_TRIES = 50


class NoGrade(ValueError):
    """An answer that cannot be used; the message says why, in our words only."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """One answer of a judge: what it chose, the number of that, and its reason."""

    choice: Choice
    number: float
    reason: str


def answer_schema(scale: Scale, *, canary: bool) -> dict[str, Any]:
    """The JSON schema of the answer. It is the same for all material, because endpoints prepare each schema once."""
    properties: dict[str, Any] = {"canary": {"type": "string"}} if canary else {}
    kind = "string" if scale.has_labels else "integer"
    properties |= {"reason": {"type": "string"}, "grade": {"type": kind, "enum": list(scale.numbers)}}
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def response_format(form: str, scale: Scale, *, canary: bool) -> dict[str, Any]:
    """The request's fields that ask for a form of answer: ``json_schema``, ``json_object`` or ``text``."""
    if form == "json_schema":
        schema = {"name": "judgement", "strict": True, "schema": answer_schema(scale, canary=canary)}
        return {"response_format": {"type": form, "json_schema": schema}}
    return {"response_format": {"type": form}} if form == "json_object" else {}


def parse_judgement(text: str | None, scale: Scale, canary: str = "") -> Judgement:
    """The judgement that an answer holds: the whole answer is the object, in a fence or not, or it has the canary.

    In an answer with other text around it, the object counts only if it repeats the ``canary`` and no other object
    does: a text that was judged may have been quoted. Raises NoGrade.
    """
    if text is None or not text.strip():
        raise NoGrade("the model gave no text")
    found = _whole(text)
    if found is None:
        found = _only_one(text, canary)
    return _checked(found, scale, canary)


def _whole(text: str) -> Mapping[str, Any] | None:
    fenced = _FENCED.match(text)
    try:
        value = json.loads(fenced[1] if fenced else text, object_pairs_hook=_without_twins)
    except NoGrade:
        raise
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        raise NoGrade("the answer is JSON, but no object")
    return value


def _only_one(text: str, canary: str) -> Mapping[str, Any]:
    if not canary:
        raise NoGrade("the answer is not one JSON object")
    objects = [each for each in _objects(text) if each.get("canary") == canary]
    if len(objects) != 1:
        raise NoGrade("the answer is not one JSON object" if not objects else "the answer has more than one grade")
    return objects[0]


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """The JSON objects in a text, outermost only."""
    decoder = json.JSONDecoder(object_pairs_hook=_without_twins)
    at = text.find("{")
    for _ in range(_MOST_TRIES):
        if at < 0:
            return
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            value, end = None, at + 1
        if isinstance(value, dict):
            yield value
        at = text.find("{", end)


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose names are all different; of two grades neither can be believed."""
    if len({name for name, _ in pairs}) < len(pairs):
        raise NoGrade("the answer gives one field twice")
    return dict(pairs)


def _checked(value: Mapping[str, Any], scale: Scale, canary: str) -> Judgement:
    if canary and value.get("canary") != canary:
        raise NoGrade("the answer does not repeat the canary of the instructions")
    missing = [name for name in ("reason", "grade") if name not in value]
    if missing:
        raise NoGrade(f"the answer lacks {' and '.join(map(repr, missing))}")
    choice = _choice(value["grade"], scale)
    if not isinstance(value["reason"], str):
        raise NoGrade("the reason is not a text")
    return Judgement(choice, scale.numbers[choice], value["reason"].strip()[:_MOST_REASON])


def _choice(grade: Any, scale: Scale) -> Choice:
    """The choice as it is in the scale; 4.0 is 4, but neither "4" nor true nor 4.5 is."""
    whole = int(grade) if isinstance(grade, float) and grade.is_integer() else grade
    kind = str if scale.has_labels else int
    if type(whole) is not kind or whole not in scale.numbers:
        raise NoGrade(f"the grade is not {scale.text}")
    return whole

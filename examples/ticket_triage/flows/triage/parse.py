"""Read the model's verdict, whatever it wrapped around the JSON."""

import json
import math
from typing import Any

from promptflow.core import tool

CATEGORIES = ("billing", "technical", "account", "shipping", "cancellation", "feedback")


def json_objects(text: str) -> list[dict[str, Any]]:
    """All JSON objects that stand in the text, in their order, prose and code fences skipped."""
    decoder = json.JSONDecoder()
    found: list[dict[str, Any]] = []
    position = text.find("{")
    while position >= 0:
        try:
            value, end = decoder.raw_decode(text, position)
        except json.JSONDecodeError:
            end = position + 1
        else:
            found.append(value)
        position = text.find("{", end)
    return found


def as_confidence(value: Any) -> float:
    """A number from 0 to 1; "85%" is understood, anything else that is not a number is 0."""
    try:
        if isinstance(value, str) and value.strip().endswith("%"):
            number = float(value.strip()[:-1]) / 100
        else:
            number = float(value)
    except (TypeError, ValueError):
        return 0.0
    return 0.0 if math.isnan(number) else min(max(number, 0.0), 1.0)


@tool
def parse(reply: str) -> dict[str, Any]:
    objects = json_objects(reply or "")
    if not objects:
        shown = " ".join((reply or "").split())[:120]
        raise ValueError(f"The model's reply has no complete JSON object in it: {shown!r}")
    verdict = next((each for each in objects if "category" in each), objects[0])
    category = str(verdict.get("category", "")).strip().lower()
    return {
        "category": category if category in CATEGORIES else "unknown",
        "confidence": as_confidence(verdict.get("confidence")),
        "reason": str(verdict.get("reason") or ""),
    }

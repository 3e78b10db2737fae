"""Read the category out of the model's reply."""

import json
import re

from promptflow.core import tool

CATEGORIES = ("loan", "account", "event", "room", "feedback")


@tool
def parse(reply: str) -> str:
    """One of the categories, or "unknown" for another word; a reply without any JSON fails the line."""
    found = re.search(r"\{[^{}]*\}", reply or "")
    if found is None:
        raise ValueError(f"The model's reply has no JSON object in it: {(reply or '')[:120]!r}")
    category = str(json.loads(found[0]).get("category", "")).strip().lower()
    return category if category in CATEGORIES else "unknown"

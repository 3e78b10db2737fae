"""Bring a message into the shape that the prompts read: one line, not too long."""

from promptflow.core import tool

LONGEST = 2000


@tool
def clean(text: str) -> str:
    """On a single line no part of a message can pass for a role line of the prompt."""
    return " ".join(text.split())[:LONGEST] or "(empty)"

"""Decide who gets the ticket and how soon."""

import re
from typing import Any

from promptflow.core import tool

QUEUES = {
    "billing": "finance",
    "technical": "repair-desk",
    "account": "identity",
    "shipping": "logistics",
    "cancellation": "retention",
    "feedback": "product-inbox",
}
MANUAL_QUEUE = "manual-triage"
SURE_ENOUGH = 0.5

DANGER = re.compile(
    r"\b(smoke|smoking|sparks?|burn(?:t|ing|s)|electric shock|wasn't me|hacked|stolen)\b", re.IGNORECASE
)
HURRY = re.compile(
    r"\b(urgent(?:ly)?|asap|immediately|today|tomorrow|deadline|by (?:mon|tues|wednes|thurs|fri|satur|sun)day"
    r"|leak(?:s|ing)?|locked out|dringend|sofort)\b",
    re.IGNORECASE,
)


@tool
def route(verdict: dict[str, Any], ticket: str) -> dict[str, str]:
    category = verdict["category"]
    queue = QUEUES.get(category, MANUAL_QUEUE)
    if verdict["confidence"] < SURE_ENOUGH:
        queue = MANUAL_QUEUE
    if DANGER.search(ticket):
        priority = "urgent"
    elif HURRY.search(ticket):
        priority = "high"
    elif category == "feedback":
        priority = "low"
    else:
        priority = "normal"
    return {"queue": queue, "priority": priority}

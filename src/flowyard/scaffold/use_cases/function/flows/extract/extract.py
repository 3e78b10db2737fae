"""Items and quantities out of a mail; what the model made up is left out."""

import re
from pathlib import Path

from promptflow.core import Prompty

PROMPT = Path(__file__).parent / "ask.prompty"


class Extract:
    def __init__(self, largest_quantity: int = 1000):
        self.largest = largest_quantity
        self.ask = Prompty.load(PROMPT)

    def __call__(self, text: str) -> dict:
        mail = " ".join(text.split())
        found = self.ask(text=mail)["items"]
        items = [each for each in map(as_item, found) if each and self.is_plausible(each, mail)]
        return {"items": items, "left_out": len(found) - len(items)}

    def is_plausible(self, item: dict, mail: str) -> bool:
        """A quantity has to be a number of the mail; one that is too large is for a person to look at."""
        return item["quantity"] <= self.largest and str(item["quantity"]) in re.findall(r"\d+", mail)


def as_item(given: object) -> dict | None:
    """What the model wrote as an item; None for anything else."""
    if not isinstance(given, dict) or not isinstance(given.get("item"), str):
        return None
    try:
        quantity = int(given.get("quantity", ""))
    except (TypeError, ValueError):
        return None
    return {"item": given["item"].strip().lower(), "quantity": quantity} if quantity > 0 else None

from promptflow.core import tool

CATEGORIES = {"goal": "sport", "vote": "politics", "chip": "technology"}


@tool
def classify(text: str) -> dict:
    return {"category": CATEGORIES.get(text.partition(" ")[0], "other")}

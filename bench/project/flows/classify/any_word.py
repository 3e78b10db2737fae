from promptflow.core import tool

CATEGORIES = {"goal": "sport", "vote": "politics", "chip": "technology"}


@tool
def classify(text: str) -> dict:
    found = [CATEGORIES[word] for word in text.split(" ") if word in CATEGORIES]
    return {"category": found[0] if found else "other"}

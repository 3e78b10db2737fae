from typing import TypedDict


class Answer(TypedDict):
    text: str
    length: int


def go(x: str) -> Answer:
    return {"text": x, "length": len(x)}

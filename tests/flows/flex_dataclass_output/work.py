from dataclasses import dataclass


@dataclass
class Answer:
    text: str
    length: int


def go(x: str) -> Answer:
    return Answer(x, len(x))

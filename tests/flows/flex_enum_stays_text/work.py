from enum import Enum


class Kind(Enum):
    GOOD = "good"


def go(kind: Kind):
    return {"kind": kind, "is_text": isinstance(kind, str)}

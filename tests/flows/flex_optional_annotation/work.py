from typing import Optional


def go(x: Optional[str] = None, y: Optional[int] = None):
    return {"values": [x, y]}

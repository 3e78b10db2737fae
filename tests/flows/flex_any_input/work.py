from __future__ import annotations

from typing import Any


def go(x: Any, words: list[str], more: dict[str, int]) -> dict[str, Any]:
    return {"values": [x, words, more]}

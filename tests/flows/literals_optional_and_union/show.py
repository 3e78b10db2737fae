from typing import Any

from promptflow.core import tool


@tool
def show(a: int | None, b: int | str, c: Any, d: dict, e: str | None = None):
    return [[type(value).__name__, value] for value in (a, b, c, d, e)]

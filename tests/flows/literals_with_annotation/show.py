from promptflow.core import tool


@tool
def show(a: int, b: str, c: float, d: list, e: bool = True):
    return [[type(value).__name__, value] for value in (a, b, c, d, e)]

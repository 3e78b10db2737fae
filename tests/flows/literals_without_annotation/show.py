from promptflow.core import tool


@tool
def show(a, b, c, d, e=None):
    return [[type(value).__name__, value] for value in (a, b, c, d, e)]

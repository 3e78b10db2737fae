from promptflow.core import tool


@tool
def show(a="kept a", b="kept b", c=1, d=True, e=None):
    return [[type(value).__name__, value] for value in (a, b, c, d, e)]

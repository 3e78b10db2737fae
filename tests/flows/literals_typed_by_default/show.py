from promptflow.core import tool


@tool
def show(a=1, b="t", c=0.5, d=False, e=None):
    return [[type(value).__name__, value] for value in (a, b, c, d, e)]

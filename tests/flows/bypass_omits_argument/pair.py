from promptflow.core import tool


@tool
def pair(a, b="default"):
    return [a, b]

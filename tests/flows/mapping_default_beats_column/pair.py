from promptflow.core import tool


@tool
def pair(a, b):
    return [a, b]

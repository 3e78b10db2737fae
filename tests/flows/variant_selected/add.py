from promptflow.core import tool


@tool
def add(x, suffix):
    return f"{x}{suffix}"

from promptflow.core import tool


@tool
def text(value: str):
    return "5" if isinstance(value, int) else value

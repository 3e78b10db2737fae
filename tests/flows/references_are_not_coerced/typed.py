from promptflow.core import tool


@tool
def typed(value: int):
    return [type(value).__name__, value]

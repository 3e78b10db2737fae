from promptflow.core import tool


@tool
def show(value: int):
    return value

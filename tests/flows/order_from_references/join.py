from promptflow.core import tool


@tool
def join(a: str, b: str):
    return a + b

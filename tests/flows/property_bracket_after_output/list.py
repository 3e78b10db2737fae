from promptflow.core import tool


@tool
def letters():
    return ["p", "q"]

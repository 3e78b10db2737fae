from promptflow.core import tool


@tool
def collect(items):
    return list(items)

from promptflow.core import tool


@tool
def nothing():
    return None

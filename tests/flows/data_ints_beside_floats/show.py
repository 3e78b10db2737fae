from promptflow.core import tool


@tool
def show(**values):
    return {name: [type(value).__name__, str(value)] for name, value in values.items()}

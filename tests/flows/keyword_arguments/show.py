from promptflow.core import tool


@tool
def show(**values):
    return {name: [type(value).__name__, value] for name, value in sorted(values.items())}

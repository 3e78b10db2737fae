from promptflow.core import tool


@tool
def boom(x: str):
    raise ValueError(f"no {x}")

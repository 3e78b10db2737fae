from promptflow.core import tool


@tool
def parts(x: str):
    yield from x.split()
    yield 1

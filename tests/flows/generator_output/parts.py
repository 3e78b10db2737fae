from promptflow.core import tool


@tool
def parts(x: str):
    for word in x.split():
        yield word
    yield 1

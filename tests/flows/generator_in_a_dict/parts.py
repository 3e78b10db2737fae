from promptflow.core import tool


def stream(words):
    yield from words
    yield 1


@tool
def parts(x: str) -> dict:
    words = x.split()
    return {"answer": stream(words), "words": len(words)}

def pieces():
    yield "a"
    yield "b"


def go(x: str):
    return {"text": pieces(), "x": x}

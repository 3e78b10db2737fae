def go(x: str):
    yield "a"
    yield 1
    yield x

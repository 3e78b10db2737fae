def go(x: str):
    yield "a"
    raise RuntimeError(x)

def go(x: str):
    return x

def go(x: int):
    return x

def go(x: int):
    return x * 2

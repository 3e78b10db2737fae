def go(x: int, y: int):
    return x + y

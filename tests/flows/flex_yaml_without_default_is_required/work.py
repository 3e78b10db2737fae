def go(x: int, y: int = 4):
    return x + y

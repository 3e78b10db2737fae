def go(x: int, y: str):
    return f"{x}{y}"

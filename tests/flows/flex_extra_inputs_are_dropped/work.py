def go(x: int, **rest):
    return {"x": x, "rest": rest}

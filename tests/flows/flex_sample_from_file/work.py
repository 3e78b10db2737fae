def go(x: str, y: dict):
    return {"x": x, "y": y}

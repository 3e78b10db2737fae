def go(x: str):
    return {"out": x}

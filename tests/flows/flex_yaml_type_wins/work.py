def go(q: str):
    return {"kind": type(q).__name__}

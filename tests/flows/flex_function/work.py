def go(a: int, b: float, c: bool, d: str, e: list, f: dict):
    return {"values": [a, b, c, d, e, f]}

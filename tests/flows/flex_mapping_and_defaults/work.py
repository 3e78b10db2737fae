def go(x: int, y: int, z: int = 9, n: list = None):
    return {"values": [x, y, z, n]}

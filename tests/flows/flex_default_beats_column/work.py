def go(x: int, y: int = 9, z: list = None):
    return {"values": [x, y, z]}

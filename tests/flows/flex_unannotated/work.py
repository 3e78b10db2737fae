def go(x, y=3):
    return {"values": [x, y]}

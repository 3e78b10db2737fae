def go(x: str, history: list = None, label: str = "", count: int = 2):
    return {"values": [x, history, label, count]}

class Go:
    def __init__(self, word: str, count: int):
        self.values = [word, count]

    def __call__(self, x: str):
        return {"values": [*self.values, x]}

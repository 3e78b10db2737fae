class Go:
    def __init__(self, word: str, count: int = 3):
        self.values = [word, count]

    def __call__(self, x: str):
        return {"values": [*self.values, x]}

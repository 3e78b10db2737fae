class Go:
    def __init__(self, word: str):
        self.values = [word]

    def __call__(self, x: str):
        return {"values": [*self.values, x]}

class Go:
    def __init__(self, word: str = "w", label: str = "", items: list = None):
        self.values = [word, label, items]

    def __call__(self, x: str):
        return {"values": [*self.values, x]}

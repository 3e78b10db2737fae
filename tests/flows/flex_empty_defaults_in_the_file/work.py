class Go:
    def __init__(self, label: str = "from the code"):
        self.label = label

    def __call__(self, x: str, y: str = None):
        return {"values": [self.label, x, y]}

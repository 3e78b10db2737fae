class Go:
    def __init__(self):
        pass

    def __call__(self, x: int):
        raise ValueError(x)

    def __aggregate__(self, results):
        return {"count": len(results)}

class Go:
    def __init__(self):
        self.calls = 0

    def __call__(self, x: int):
        if x == 2:
            raise ValueError("two")
        self.calls += 1
        return {"v": x, "inner": {"w": x}}

    async def __aggregate__(self, results: list):
        return {"sum": sum(each["v"] for each in results)}

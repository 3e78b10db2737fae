class Go:
    def __init__(self):
        self.calls = 0

    def __call__(self, x: int):
        if x == 2:
            raise ValueError("two")
        self.calls += 1
        return {"v": x, "inner": {"w": x}}

    def __aggregate__(self, results):
        first = results[0]
        return {
            "sum": sum(each.v for each in results),
            "items": [each["v"] for each in results],
            "inner": first.inner["w"],
            "only_one_level_has_attributes": not hasattr(first.inner, "w"),
            "calls_of_this_instance": self.calls,
        }

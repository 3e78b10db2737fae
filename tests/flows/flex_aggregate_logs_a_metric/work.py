class Go:
    def __init__(self):
        self.calls = 0

    def __call__(self, x: int):
        if x == 2:
            raise ValueError("two")
        self.calls += 1
        return {"v": x, "inner": {"w": x}}

    def __aggregate__(self, results):
        from promptflow.core import log_metric

        log_metric("logged", 1)
        return {"returned": 2}

from dataclasses import dataclass


@dataclass
class Grade:
    score: int


class Go:
    def __init__(self):
        pass

    def __call__(self, x: int) -> Grade:
        return Grade(x)

    def __aggregate__(self, results):
        return {"is_dict": isinstance(results[0], dict), "sum": sum(each.score for each in results)}

"""How many of the ordered items were found, and how many that nobody ordered."""


class Compare:
    def __call__(self, found: list, expected: list) -> dict:
        right = [each for each in expected if each in found]
        return {
            "recall": len(right) / len(expected) if expected else float(not found),
            "made_up": sum(each not in expected for each in found),
        }

    def __aggregate__(self, results: list) -> dict:
        return {"made_up_in_all": sum(each["made_up"] for each in results)}

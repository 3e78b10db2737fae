"""What ``functions_as_flows.py`` runs."""


def repeat(word: str, times: int = 2) -> str:
    return word * times


class Greeter:
    def __init__(self, greeting: str):
        self.greeting = greeting

    def __call__(self, word: str):
        return {"text": f"{self.greeting}, {word}"}

    def __aggregate__(self, results: list):
        return {"greeted": len(results)}

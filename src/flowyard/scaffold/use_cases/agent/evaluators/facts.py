"""Whether an answer says what it has to, and how many rounds it took."""


def score(answer: str, fact: str, rounds: int) -> dict:
    return {"says_the_fact": fact.casefold() in answer.casefold(), "rounds": rounds}

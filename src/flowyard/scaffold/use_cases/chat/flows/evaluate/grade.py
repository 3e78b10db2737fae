"""Whether an answer says what it has to, and is short enough for a chat."""

LONGEST = 300


class Grade:
    def __call__(self, answer: str, fact: str) -> dict:
        return {"says_the_fact": fact.casefold() in answer.casefold(), "is_brief": len(answer) <= LONGEST}

    def __aggregate__(self, results: list) -> dict:
        count = len(results) or 1
        return {
            "share_with_fact": sum(each["says_the_fact"] for each in results) / count,
            "share_brief": sum(each["is_brief"] for each in results) / count,
        }

"""Whether the page was found, the answer says the fact, and the right page is cited."""


def grade(answer: str, citations: list, retrieved: list, fact: str, source: str) -> dict:
    """A question without a page (``source`` is empty) has to be answered without any citation."""
    return {
        "says_the_fact": fact.casefold() in answer.casefold(),
        "cites_the_page": source in citations if source else not citations,
        "finds_the_page": not source or source in [each["source"] for each in retrieved],
    }

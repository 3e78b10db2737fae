"""From numbers in the answer to the pages that they stand for."""

import re

from promptflow.core import tool

NUMBER = re.compile(r"\[(\d{1,2})\]")


@tool
def cite(reply: str, passages: list[dict]) -> dict:
    """A number that stands for no passage is taken out of the answer: nobody could look it up."""
    known = {str(number): passage["source"] for number, passage in enumerate(passages, 1)}
    answer = NUMBER.sub(lambda match: match[0] if match[1] in known else "", reply).strip()
    pages = [known[number] for number in NUMBER.findall(answer)]
    return {"answer": answer, "citations": list(dict.fromkeys(pages))}

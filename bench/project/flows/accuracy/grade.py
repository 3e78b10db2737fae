from promptflow.core import tool


@tool
def grade(category: str, expected: str) -> str:
    return "correct" if category == expected else "wrong"

"""Compare one category with its label."""

from promptflow.core import tool


@tool
def grade(category: str, prediction: str) -> str:
    return "Correct" if category.strip().lower() == prediction.strip().lower() else "Incorrect"

"""Compare one prediction with its label."""

from typing import Any

from promptflow.core import tool


@tool
def grade(category: str, prediction: str) -> dict[str, Any]:
    expected = category.strip().lower()
    predicted = prediction.strip().lower()
    correct = expected == predicted
    return {
        "grade": "Correct" if correct else "Incorrect",
        "correct": correct,
        "expected": expected,
        "predicted": predicted,
    }

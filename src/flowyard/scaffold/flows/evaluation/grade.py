from promptflow.core import tool


@tool
def grade(groundtruth: str, prediction: str) -> str:
    """One line's grade."""
    return "correct" if groundtruth.strip().lower() == prediction.strip().lower() else "incorrect"

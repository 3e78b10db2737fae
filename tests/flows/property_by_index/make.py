from promptflow.core import tool


@tool
def make():
    return {"a": 1, "b": {"c": [2, 3]}, "k": [{"z": 4}], "a b": 5, "d.e": 6, "items": 7}

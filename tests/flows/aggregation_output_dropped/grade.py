from promptflow.core import tool


@tool
def grade(n):
    if n == 13:
        raise ValueError("unlucky")
    return {"double": n * 2}

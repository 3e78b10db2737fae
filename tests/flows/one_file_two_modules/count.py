from promptflow.core import tool

calls = []


@tool
def count(x):
    calls.append(x)
    return f"{x}{len(calls)}"

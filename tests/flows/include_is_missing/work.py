from promptflow.core import tool


@tool
def work(x):
    return x

from promptflow.core import tool
from sibling_of_use import shout


@tool
def use(x):
    return shout(x)

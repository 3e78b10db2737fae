from enum import Enum

from promptflow.core import tool


class Color(Enum):
    RED = "red"


@tool
def show(color: Color):
    return [type(color).__name__, color]

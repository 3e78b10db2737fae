from dataclasses import dataclass

from promptflow.core import tool


@dataclass
class Inner:
    x: int


class Point:
    def __init__(self):
        self.inner = Inner(3)
        self.tag = "here"


@tool
def make():
    return Point()

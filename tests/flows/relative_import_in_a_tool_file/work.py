from .words import WORD
from promptflow.core import tool


@tool
def work(x):
    return WORD

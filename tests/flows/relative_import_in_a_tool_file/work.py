from promptflow.core import tool

from .words import WORD


@tool
def work(x):
    return WORD

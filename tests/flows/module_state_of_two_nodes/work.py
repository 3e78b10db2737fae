import state
from promptflow.core import tool

MINE = []


@tool
def work(x):
    state.seen.append(x)
    MINE.append(x)
    return [len(state.seen), len(MINE)]

from promptflow.core import tool

import state

MINE = []


@tool
def work(x):
    state.seen.append(x)
    MINE.append(x)
    return [len(state.seen), len(MINE)]

import importlib
import pickle

from promptflow.core import tool


@tool
def work(x):
    import late
    from package.names import WORD
    from plain import part

    again = pickle.loads(pickle.dumps(importlib.import_module("kinds").Kind("kind")))
    return f"{x} {late.VALUE} {WORD} {part.PART} {again.name}"

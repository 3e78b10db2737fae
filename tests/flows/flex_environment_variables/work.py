import os


def go(x: str):
    return os.environ["FLEX_WORD"] + x

from pathlib import Path


def go(x: str):
    return Path.cwd().name + x

from pathlib import Path

from promptflow.core import tool

AT_IMPORT = Path("words.txt").read_text().strip()


@tool
def work(x):
    with Path("words.txt").open() as words:
        return f"{x}: {AT_IMPORT}, {words.read().strip()}"

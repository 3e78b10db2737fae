from pathlib import Path

from promptflow.core import tool


@tool
def work(x):
    from texts.reader import read

    return f"{x} {read()} {Path('texts/deep/note.txt').read_text().strip()}"

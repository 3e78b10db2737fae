from pathlib import Path

from promptflow.core import tool


@tool
def work(x):
    return f"{x} {Path('words.txt').read_text().strip()}"

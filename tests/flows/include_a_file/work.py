from pathlib import Path

from included_words import words
from promptflow.core import tool


@tool
def work(x):
    return f"{x} {words()} {Path('own.txt').read_text().strip()}"

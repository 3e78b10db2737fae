from promptflow.core import tool


@tool
def spell(word: str):
    for letter in word:
        yield letter + "."

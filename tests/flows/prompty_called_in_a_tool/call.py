from pathlib import Path

from promptflow.core import Prompty, tool

PROMPTY = Path(__file__).parent / "ask.prompty"


@tool
def call(x: str):
    prompty = Prompty.load(source=PROMPTY)
    return [prompty(x=x), prompty(x=x, n="7", unknown=1), prompty(), prompty.render(x="b")]

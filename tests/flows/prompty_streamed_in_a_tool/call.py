from pathlib import Path

from promptflow.core import Prompty, tool

PROMPTY = Path(__file__).parent / "ask.prompty"


@tool
def call(x: str):
    return list(Prompty.load(source=PROMPTY, model={"parameters": {"stream": True}})(x=x))

from pathlib import Path

from promptflow.core import Prompty, tool

PROMPTY = Path(__file__).parent / "ask.prompty"


@tool
def call(x: str):
    return Prompty.load(source=PROMPTY)(x=x, timeout=20)

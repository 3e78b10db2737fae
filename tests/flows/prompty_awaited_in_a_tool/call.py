from pathlib import Path

from promptflow.core import AsyncPrompty, tool

PROMPTY = Path(__file__).parent / "ask.prompty"


@tool
async def call(x: str):
    return await AsyncPrompty.load(source=PROMPTY)(x=x)

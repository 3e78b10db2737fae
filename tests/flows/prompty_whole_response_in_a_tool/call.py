from pathlib import Path

from promptflow.core import Prompty, tool

PROMPTY = Path(__file__).parent / "ask.prompty"


@tool
def call(x: str):
    answer = Prompty.load(source=PROMPTY, model={"response": "all"})(x=x)
    choice = answer.choices[0]
    message = choice.message
    return [message.content, choice.finish_reason, choice.index, message.role, message.tool_calls, answer.model]

"""The loop: ask the model, call the tools that it wants, show it what they returned, until it answers."""

import json
from pathlib import Path

from promptflow.core import Prompty
from station import TOOLS

PROMPT = Path(__file__).parent / "agent.prompty"
GIVE_UP = "I could not find that out, please ask at the counter."


class Agent:
    def __init__(self, max_rounds: int = 4):
        self.max_rounds = max_rounds
        self.ask = Prompty.load(PROMPT)

    def __call__(self, question: str) -> dict:
        rounds: list[dict] = []
        answer = GIVE_UP
        for _ in range(self.max_rounds):
            reply = self.ask(question=question, rounds=rounds)
            if isinstance(reply, str):
                answer = reply.strip()
                break
            rounds.append(call_tools(reply["tool_calls"]))
        calls = [
            {"name": call["function"]["name"], "arguments": arguments_of(call)}
            for each in rounds
            for call in each["calls"]
        ]
        return {"answer": answer, "calls": calls, "rounds": len(rounds) + 1}


def call_tools(calls: list[dict]) -> dict:
    """What the model asked for, and what each tool said to it."""
    return {"calls": calls, "results": [{"id": call["id"], "text": result_of(call)} for call in calls]}


def result_of(call: dict) -> str:
    """A mistake of the model is told to the model, which may do better; it does not end the conversation."""
    name = call["function"]["name"]
    if name not in TOOLS:
        return f"There is no tool {name}."
    try:
        return TOOLS[name](**arguments_of(call))
    except (TypeError, ValueError) as error:
        return f"{name} refused: {error}"


def arguments_of(call: dict) -> dict:
    """The arguments as an object; what is no JSON counts as none."""
    try:
        given = json.loads(call["function"]["arguments"])
    except ValueError:
        return {}
    return given if isinstance(given, dict) else {}

"""Cells of a notebook: a running event loop, awaited flows, outputs that stream."""

import asyncio
import json

from promptflow.client import load_flow
from promptflow.core import AsyncFlow, Flow
from promptflow.tracing import trace


def show(*values):
    print("RESULT", json.dumps(values, sort_keys=True))


@trace
def shout(text):
    return text.upper()


async def cells():
    classify = AsyncFlow.load("flows/web_classification")
    answers = await asyncio.gather(*[classify(url=f"https://play.example/{n}", times=n) for n in range(4)])
    show(answers)
    invoked = await classify.invoke({"url": "https://x.example"})
    show(invoked.output)
    try:
        await classify(url="https://broken.example")
    except Exception as error:
        show(type(error).__name__, str(error))
    letters = load_flow("flows/letters")
    show(letters(), letters(word="xy"))
    letters.context.streaming = True
    streamed = letters(word="xyz")
    show(type(streamed["letters"]).__name__, list(streamed["letters"]), streamed["word"])
    letters.context.streaming = False
    show(letters(word="z"))
    show(list(Flow.load("flows/letters")(word="core")["letters"]), shout("done"))
    pieces = await AsyncFlow.load("flows/letters")(word="later")
    show([piece async for piece in pieces["letters"]])


def main():
    asyncio.run(cells())


if __name__ == "__main__":
    main()

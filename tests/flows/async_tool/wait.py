import asyncio

from promptflow.core import tool


@tool
async def wait(x: str) -> str:
    await asyncio.sleep(0)
    return x + " later"

import asyncio
from pathlib import Path

from promptflow.core import tool


@tool
async def work(x):
    await asyncio.sleep(0)
    in_thread = await asyncio.to_thread(read)
    return f"{x}: {read()}, {in_thread}"


def read():
    return Path("words.txt").read_text().strip()

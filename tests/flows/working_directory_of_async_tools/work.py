import asyncio
from pathlib import Path

from promptflow.core import tool


@tool
async def work(x):
    await asyncio.sleep(0)
    in_thread = await asyncio.to_thread(Path("words.txt").read_text)
    return f"{x}: {Path('words.txt').read_text().strip()}, {in_thread.strip()}"

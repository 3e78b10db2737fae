import asyncio
import subprocess
import sys

from promptflow.core import tool


@tool
async def work(x):
    plain = await asyncio.to_thread(subprocess.run, [sys.executable, "say.py"], capture_output=True, text=True)
    process = await asyncio.create_subprocess_exec(sys.executable, "say.py", stdout=asyncio.subprocess.PIPE)
    awaited, _ = await process.communicate()
    return f"{x}: {plain.stdout.strip()}, {awaited.decode().strip()}"

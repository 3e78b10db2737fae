"""What one model call costs a client: ``python model_client.py flowyard|openai BASE_URL CALLS CONCURRENCY``.

Prints one JSON object: the seconds that importing the client took, and the CPU seconds of this process per call. It
runs in whatever environment has the client, so that flowyard's own one needs no ``openai``.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import version

Call = Callable[[], Awaitable[object]]
Close = Callable[[], Awaitable[None]]
MESSAGES = [{"role": "system", "content": "You are terse."}, {"role": "user", "content": "Say hello."}]


def flowyard_client(url: str) -> tuple[Call, Close, str]:
    from flowyard.llm.connection import OpenAIConnection
    from flowyard.llm.providers.openai_wire import OpenAIWireProvider
    from flowyard.records import ModelRequest

    provider = OpenAIWireProvider(OpenAIConnection(api_key="none", base_url=url))
    request = ModelRequest("chat", "m", {"messages": MESSAGES, "temperature": 0})
    return lambda: provider.call(request), provider.close, f"flowyard over aiohttp {version('aiohttp')}"


def openai_client(url: str) -> tuple[Call, Close, str]:
    from openai import AsyncOpenAI

    client = AsyncOpenAI(api_key="none", base_url=url, max_retries=0)
    return (
        lambda: client.chat.completions.create(model="m", messages=MESSAGES, temperature=0),
        client.close,
        f"openai {version('openai')}",
    )


async def repeat(call: Call, calls: int, concurrency: int) -> None:
    left = iter(range(calls))

    async def work() -> None:
        for _ in left:
            await call()

    await asyncio.gather(*(work() for _ in range(concurrency)))


async def measure(name: str, url: str, calls: int, concurrency: int) -> dict[str, object]:
    started = time.perf_counter()
    call, close, label = {"flowyard": flowyard_client, "openai": openai_client}[name](url)
    imported_s = time.perf_counter() - started
    await repeat(call, concurrency * 2, concurrency)
    cpu = time.process_time()
    await repeat(call, calls, concurrency)
    spent = time.process_time() - cpu
    await close()
    return {"client": label, "import_s": imported_s, "cpu_s_per_call": spent / calls}


if __name__ == "__main__":
    result = asyncio.run(measure(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
    sys.stdout.write(json.dumps(result) + "\n")

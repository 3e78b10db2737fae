import asyncio


async def go(x: str):
    await asyncio.sleep(0)
    return {"y": x + "!"}

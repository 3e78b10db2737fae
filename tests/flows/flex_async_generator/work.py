async def go(x: str):
    yield "a"
    yield x

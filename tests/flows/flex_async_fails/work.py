async def go(x: str):
    raise KeyError(x)

from promptflow.core import tool


@tool
async def parts(x: str):
    for word in x.split():
        yield word

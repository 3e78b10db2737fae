from promptflow.contracts.multimedia import Image
from promptflow.core import tool


@tool
def show(x: Image, y: str):
    return f"{type(x).__name__} {x._mime_type} {len(x)} {y} {x.to_base64()[:8]}"

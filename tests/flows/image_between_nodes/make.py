from promptflow.contracts.multimedia import Image
from promptflow.core import tool


@tool
def make(x: str):
    return {"picture": Image(b"GIF89a" + x.encode(), mime_type="image/gif"), "x": x}

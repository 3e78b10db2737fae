from promptflow.core import tool


@tool
def classify(url: str, times: int, ending: str):
    if "broken" in url:
        raise ValueError(f"cannot fetch {url}")
    return ("App" if "play" in url else "Academic") * times + ending

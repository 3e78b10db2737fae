from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Thread

from promptflow.core import tool


@tool
def work(x):
    found = []
    thread = Thread(target=lambda: found.append(Path("words.txt").read_text().strip()))
    thread.start()
    thread.join()
    with ThreadPoolExecutor(2) as pool:
        found += pool.map(lambda name: Path(name).read_text().strip(), ["words.txt"])
    return f"{x}: {', '.join(found)}"

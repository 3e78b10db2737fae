import os
import subprocess
import sys
from threading import Thread

from promptflow.core import tool

SAY = "import os; print(os.environ['FLOW_FOLDER_FOR_CHILDREN'])"


@tool
def work(x):
    child = subprocess.run([sys.executable, "-c", SAY], capture_output=True, text=True, check=True)
    found = []
    thread = Thread(target=lambda: found.append(os.getenv("FLOW_FOLDER_FOR_CHILDREN")))
    thread.start()
    thread.join()
    return f"{x} {child.stdout.strip()} {found[0]}"

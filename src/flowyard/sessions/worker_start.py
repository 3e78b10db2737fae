"""``python -m flowyard.sessions.worker_start``: a worker process, imported without pauses of the garbage collector.

What is imported stays, so collecting meanwhile finds nothing and takes a tenth of the time until the first line.
"""

import gc
import os
import threading
from importlib import import_module

from flowyard._util.worker_command import ASKS_MODELS


def _start() -> None:
    gc.disable()  # until the flow is prepared
    if ASKS_MODELS in os.environ:
        # A third of this import reads certificates, and lets others run meanwhile.
        threading.Thread(target=import_module, args=("aiohttp",), daemon=True).start()
    import_module("flowyard.sessions.worker").main()


if __name__ == "__main__":
    _start()

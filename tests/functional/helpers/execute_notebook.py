"""Executes a notebook with this Python as its kernel, over sockets of the file system: ``SOURCE OUT``.

A program of its own, so that the kernel's event loop and sockets are not those of the tests.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient


def main(source: Path, out: Path) -> None:
    notebook = nbformat.read(source, as_version=4)
    with tempfile.TemporaryDirectory(prefix="nb", dir="/tmp") as folder:  # a short path: sockets have short names
        manager = AsyncKernelManager(transport="ipc", ip=f"{folder}/k", kernel_name="python3")
        resources = {"metadata": {"path": str(source.parent)}}
        NotebookClient(notebook, km=manager, timeout=120, resources=resources).execute()
    nbformat.write(notebook, out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

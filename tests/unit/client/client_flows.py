"""Flows on disk for calls from Python."""

from __future__ import annotations

from pathlib import Path

__all__ = ["FLOW", "WORK", "times_loaded", "write_flow"]

FLOW = """\
inputs:
  x: {type: string}
  n: {type: int, default: 2}
outputs:
  y: {type: string, reference: "${work.output}"}
nodes:
- name: work
  type: python
  source: {type: code, path: work.py}
  inputs: {x: "${inputs.x}", n: "${inputs.n}"}
"""

WORK = """\
import os
from pathlib import Path

from promptflow.core import tool

with Path(__file__).with_name("loaded.txt").open("a") as file:
    file.write("loaded ")


@tool
def work(x: str, n: int):
    return os.environ.get("PREFIX", "") + x * n
"""


def write_flow(folder: Path, yaml: str, **code: str) -> Path:
    folder.mkdir()
    (folder / "flow.dag.yaml").write_text(yaml, "utf-8")
    for name, text in code.items():
        (folder / f"{name}.py").write_text(text, "utf-8")
    return folder


def times_loaded(folder: Path) -> int:
    return (folder / "loaded.txt").read_text("utf-8").count("loaded")

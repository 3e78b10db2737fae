"""The flows and data that are run on both sides, written into scratch space."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from bench.places import SCRATCH

__all__ = ["llm_flow", "model_chain_flow", "python_flow", "python_node_flow", "write_data"]

_TOOL = "from promptflow.core import tool\n\n\n@tool\n"
_THREE_PYTHON = {
    "flow.dag.yaml": """\
inputs:
  text: {type: string}
outputs:
  result: {type: string, reference: "${join.output}"}
nodes:
- name: clean
  type: python
  source: {type: code, path: clean.py}
  inputs: {text: "${inputs.text}"}
- name: count
  type: python
  source: {type: code, path: count.py}
  inputs: {text: "${clean.output}"}
- name: join
  type: python
  source: {type: code, path: join.py}
  inputs: {text: "${clean.output}", number: "${count.output}"}
""",
    "clean.py": _TOOL + 'def clean(text: str) -> str:\n    return " ".join(text.lower().split())\n',
    "count.py": _TOOL + 'def count(text: str) -> int:\n    return len(text.split(" "))\n',
    "join.py": _TOOL + 'def join(text: str, number: int) -> str:\n    return f"{text} ({number})"\n',
}
_ONE_PYTHON = {
    "flow.dag.yaml": """\
inputs:
  text: {type: string}
outputs:
  result: {type: string, reference: "${clean.output}"}
nodes:
- name: clean
  type: python
  source: {type: code, path: clean.py}
  inputs: {text: "${inputs.text}"}
""",
    "clean.py": _THREE_PYTHON["clean.py"],
}
_MODEL_NODE = """\
- name: {name}
  type: llm
  source: {{type: code, path: {name}.jinja2}}
  inputs: {{deployment_name: mock, model: mock, temperature: 0, question: "{question}"}}
  connection: bench_model
  api: chat
"""
_LLM = {
    "flow.dag.yaml": """\
inputs:
  question: {type: string}
outputs:
  answer: {type: string, reference: "${ask.output}"}
nodes:
"""
    + _MODEL_NODE.format(name="ask", question="${inputs.question}"),
    "ask.jinja2": "system:\nYou are terse.\n\nuser:\n{{question}}\n",
}
_CHAIN = {
    "flow.dag.yaml": """\
inputs:
  question: {type: string}
outputs:
  answer: {type: string, reference: "${last.output}"}
nodes:
"""
    + _MODEL_NODE.format(name="first", question="${inputs.question}")
    + _MODEL_NODE.format(name="second", question="${inputs.question} ${first.output}").replace(
        '"${inputs.question} ${first.output}"', '"${first.output}", asked: "${inputs.question}"'
    )
    + _MODEL_NODE.format(name="last", question="${second.output}").replace(
        '"${second.output}"', '"${second.output}", asked: "${inputs.question}"'
    ),
    "first.jinja2": "user:\nFirst {{question}}\n",
    "second.jinja2": "user:\nSecond {{question}} {{asked}}\n",
    "last.jinja2": "user:\nLast {{question}} {{asked}}\n",
}


def python_node_flow() -> Path:
    """One python node."""
    return _write("python_node_flow", _ONE_PYTHON)


def python_flow() -> Path:
    """Three python nodes, one after the other."""
    return _write("python_flow", _THREE_PYTHON)


def llm_flow() -> Path:
    """One chat call with the connection ``bench_model``."""
    return _write("llm_flow", _LLM)


def model_chain_flow() -> Path:
    """Three chat calls, each with what the one before it answered."""
    return _write("model_chain", _CHAIN)


def write_data(column: str, lines: int) -> Path:
    """Lines that differ by their number."""
    file = SCRATCH / f"{column}_{lines}.jsonl"
    SCRATCH.mkdir(exist_ok=True)
    with file.open("w", encoding="utf-8") as out:
        for number in range(lines):
            out.write(json.dumps({column: f"Goal number {number}  in the LAST minute"}) + "\n")
    return file


def _write(name: str, files: dict[str, str]) -> Path:
    folder = SCRATCH / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for file, text in files.items():
        (folder / file).write_text(text, "utf-8")
    return folder

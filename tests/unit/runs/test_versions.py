from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest

from flowyard.flows import FlexFlow
from flowyard.flows.load import load_flow
from flowyard.runs.versions import data_digest, flow_digest

FLOW = """\
inputs:
  x: {type: string}
outputs:
  out: {type: string, reference: "${work.output}"}
nodes:
- name: work
  type: python
  source: {type: code, path: work.py}
  inputs: {x: "${inputs.x}"}
"""
PROMPTY = "---\nname: p\nmodel: {api: chat, configuration: {type: openai}}\n---\nsystem:\nBe brief.\n"


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    folder = tmp_path / "flow"
    (folder / "lib").mkdir(parents=True)
    (folder / "flow.dag.yaml").write_text(FLOW)
    (folder / "work.py").write_text("from promptflow.core import tool\n\n\n@tool\ndef work(x: str):\n    return x\n")
    (folder / "lib" / "words.txt").write_text("a b c")
    return folder


CHANGES: list[Callable[[Path], object]] = [
    lambda folder: (folder / "work.py").write_text("other"),
    lambda folder: (folder / "lib" / "words.txt").write_text("a b d"),
    lambda folder: (folder / "lib" / "words.txt").rename(folder / "lib" / "other.txt"),
    lambda folder: (folder / "new.jinja2").touch(),
    lambda folder: (folder / "flow.dag.yaml").write_text(FLOW + "# more\n"),
    lambda folder: (folder / "link").symlink_to("nowhere"),
]
NO_CHANGES: list[Callable[[Path], object]] = [
    lambda folder: (folder / "__pycache__").mkdir(),
    lambda folder: (folder / ".git").mkdir() or (folder / ".git" / "HEAD").touch(),  # type: ignore[func-returns-value]
    lambda folder: (folder / ".env").write_text("KEY=1"),
    lambda folder: (folder / "out.log").write_text("said"),
    lambda folder: os.utime(folder / "work.py", (1, 1)),
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_flow_has_another_digest(flow: Path, change: Callable[[Path], object]) -> None:
    before = load_flow(flow)
    digest = flow_digest(before)
    assert digest == flow_digest(load_flow(flow))
    change(flow)
    assert flow_digest(before) != digest


@pytest.mark.parametrize("change", NO_CHANGES)
def test_what_is_no_part_of_a_flow_does_not_count(flow: Path, change: Callable[[Path], object]) -> None:
    before = flow_digest(load_flow(flow))
    change(flow)
    assert flow_digest(load_flow(flow)) == before


def test_a_digest_is_the_same_elsewhere(flow: Path, tmp_path: Path) -> None:
    before = flow_digest(load_flow(flow))
    flow.rename(tmp_path / "moved")
    assert flow_digest(load_flow(tmp_path / "moved")) == before


def test_includes_are_part_of_a_flow(flow: Path, tmp_path: Path) -> None:
    (tmp_path / "shared.py").write_text("a = 1")
    (flow / "flow.dag.yaml").write_text(FLOW + "additional_includes: [../shared.py]\n")
    before = flow_digest(load_flow(flow))
    assert flow_digest(load_flow(flow)) == before
    (tmp_path / "shared.py").write_text("a = 2")
    assert flow_digest(load_flow(flow)) != before


def test_of_a_prompty_the_file_counts(tmp_path: Path) -> None:
    (tmp_path / "p.prompty").write_text(PROMPTY)
    before = flow_digest(load_flow(tmp_path / "p.prompty"))
    (tmp_path / "other.txt").touch()
    assert flow_digest(load_flow(tmp_path / "p.prompty")) == before
    (tmp_path / "p.prompty").write_text(PROMPTY + "And kind.\n")
    assert flow_digest(load_flow(tmp_path / "p.prompty")) != before


def test_of_a_function_its_file_counts(tmp_path: Path) -> None:
    made = FlexFlow(name="f", file=tmp_path / "none", folder=tmp_path, entry="x:y", target=flow_digest)
    typed_in = FlexFlow(name="f", file=tmp_path / "none", folder=tmp_path, entry="x:y", target=eval("lambda: 1"))
    assert flow_digest(made) == flow_digest(made) != flow_digest(typed_in)


def test_data_that_changes_has_another_digest(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "a.jsonl").write_text('{"x": 1}\n')
    (data / "b.jsonl").write_text('{"x": 2}\n')
    sources = [data, data / "*.jsonl", data / "a.jsonl"]
    before = [data_digest(source) for source in sources]
    os.utime(data / "a.jsonl", (1, 1))
    assert [data_digest(source) for source in sources] == before
    assert all(digest.startswith("sha256:") for digest in before)
    (data / "a.jsonl").write_text('{"x": 3}\n')
    assert all(data_digest(source) != digest for source, digest in zip(sources, before, strict=True))


def test_rows_that_move_between_files_change_the_digest(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"x": 1}\n{"x": 2}\n')
    (tmp_path / "b.jsonl").write_text('{"x": 3}\n')
    before = data_digest(tmp_path)
    (tmp_path / "a.jsonl").write_text('{"x": 1}\n')
    (tmp_path / "b.jsonl").write_text('{"x": 2}\n{"x": 3}\n')
    assert data_digest(tmp_path) != before


def test_of_large_data_size_time_and_both_ends_count(tmp_path: Path) -> None:
    file = tmp_path / "d.jsonl"
    with file.open("wb") as writer:
        writer.write(b'{"x": 1}\n')
        writer.truncate(70 * 1024 * 1024)  # a hole, which takes no room on the disk
    os.utime(file, (5, 5))
    before = data_digest(file)
    assert before.startswith("sampled:")
    assert data_digest(file) == before
    os.utime(file, (6, 6))
    assert data_digest(file) != before
    with file.open("r+b") as writer:
        writer.write(b'{"x": 2}\n')
    os.utime(file, (5, 5))
    assert data_digest(file) != before


def test_remote_data_has_a_digest() -> None:
    url = "memory://versions/d.jsonl"
    digests = []
    for content in (b"{}\n", b"{}\n", b'{"x": 1}\n'):
        with fsspec.open(url, "wb") as file:
            file.write(content)
        digests.append(data_digest(url))
    assert digests[0] == digests[1] != digests[2]

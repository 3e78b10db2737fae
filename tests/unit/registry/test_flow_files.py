"""A flow as it is kept: which files, in which form, and the same digest wherever and whenever it is read."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowyard.errors import UserError
from flowyard.registry.flow_files import flow_draft

DAG = """\
inputs: {x: {type: string}}
outputs: {out: {type: string, reference: "${work.output}"}}
nodes:
- {name: work, type: python, source: {type: code, path: work.py}, inputs: {x: "${inputs.x}"}}
"""
PARAMETERS = {"type": "object", "properties": {"x": {"type": "string"}}}
TOOLS = json.dumps([{"type": "function", "function": {"name": "look_up", "parameters": PARAMETERS}}])
TOOL = "from promptflow.core import tool\n\n\n@tool\ndef work(x: str):\n    return x\n"
PROMPTY = """\
---
name: Ask
model:
  configuration: {type: openai, model: small, api_key: "${env:KEY}"}
  parameters: {tools: "${file:tools.json}"}
sample: sample.json
---
user:
{{ question }} ![image](pictures/dog.png)
"""


def write(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    return folder


def kept(path: Path, **options: Any) -> tuple[str, dict[str, str]]:
    """The digest, and the files with their text."""
    with flow_draft(path, **options) as (draft, _):
        assert [file.name for file in draft.files] == sorted(file.name for file in draft.files)
        texts = {
            file.name: place.read_bytes().decode("latin-1" if file.name.endswith(".zip") else "utf-8")
            for file, place in zip(draft.files, draft.places, strict=True)
        }
        return draft.digest, texts


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    return write(tmp_path / "here" / "flow", {"flow.dag.yaml": DAG, "work.py": TOOL, "ünï/größe.txt": "1"})


def test_what_is_no_part_of_a_flow_is_left_out(flow: Path):
    before = kept(flow)
    assert sorted(before[1]) == ["flow.dag.yaml", "work.py", "ünï/größe.txt"]
    noise = {
        "__pycache__/work.pyc": "x",
        ".promptflow/flow.tools.json": "{}",
        ".env": "KEY=s3cret",
        ".env.local": "KEY=s3cret",
        "sub/prod.env": "KEY=s3cret",
        ".git/config": "[remote]",
        ".runs/a/outputs.jsonl": "{}",
    }
    write(flow, noise)
    assert kept(flow) == before


def test_an_ignore_file_leaves_out_and_counts_itself(flow: Path):
    write(flow, {".flowyardignore": "*.log\nbig/\n/flow.dag.yaml\n", "a.log": "x", "big/data.bin": "x"})
    assert sorted(kept(flow)[1]) == [".flowyardignore", "flow.dag.yaml", "work.py", "ünï/größe.txt"]


def test_the_digest_knows_no_place_and_no_time(flow: Path, tmp_path: Path):
    other = tmp_path / "else" / "where" / "other_name"
    shutil.copytree(flow, other)
    for file in other.rglob("*"):
        os.utime(file, (1, 1))
    (other / "work.py").chmod(0o755)
    assert kept(flow)[0] == kept(other)[0] == kept(other / "flow.dag.yaml")[0]
    (other / "work.py").rename(other / "werk.py")
    write(other, {"flow.dag.yaml": DAG.replace("path: work.py", "path: werk.py")})
    assert kept(other)[0] != kept(flow)[0]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.text("ab/", min_size=1, max_size=4).filter(lambda name: all(name.split("/"))), st.binary(max_size=4)
    )
)
def test_any_change_of_names_or_bytes_is_another_digest(tmp_path: Path, files: dict[str, bytes]):
    """No two sets of files read the same, however names and contents run into each other."""
    folders = {name.rpartition("/")[0] for name in files}
    if any(name == folder or folder.startswith(f"{name}/") for name in files for folder in folders):
        return
    root = tmp_path / "made"
    shutil.rmtree(root, ignore_errors=True)
    write(root, {"flow.dag.yaml": DAG, "work.py": TOOL})
    plain = kept(root)[0]
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    with flow_draft(root) as (draft, _):
        assert (draft.digest == plain) == (not files)
        assert {file.name for file in draft.files} == {"flow.dag.yaml", "work.py", *files}


def test_includes_are_laid_over_and_forgotten(flow: Path, tmp_path: Path):
    write(flow, {"flow.dag.yaml": "additional_includes:\n- ../shared\n- ../shared.zip\n- ../one.txt\n" + DAG})
    write(flow.parent, {"shared/words.txt": "a", "shared/.env": "KEY=s3cret", "one.txt": "1"})
    digest, files = kept(flow)
    names = ["flow.dag.yaml", "one.txt", "shared.zip", "shared/words.txt", "work.py", "ünï/größe.txt"]
    assert sorted(files) == names
    assert files["flow.dag.yaml"] == "\n\n\n\n" + DAG
    assert "s3cret" not in str(files)
    other = tmp_path / "far"
    shutil.copytree(flow.parent, other)
    for file in other.rglob("*"):
        os.utime(file, (10**9, 10**9))
    assert kept(other / "flow")[0] == digest
    write(other, {"shared/words.txt": "b"})
    assert kept(other / "flow")[0] != digest


@pytest.mark.parametrize("code", ["src", "../src"])
def test_a_flex_flow_with_its_code_elsewhere_is_one_folder(tmp_path: Path, code: str):
    home = write(
        tmp_path / "flow", {"flow.flex.yaml": f"entry: work:go\ncode: {code}\ninputs:\n  x: {{type: string}}\n"}
    )
    write(home / code, {"work.py": "def go(x):\n    return x\n"})
    files = kept(home)[1]
    inside = "src/work.py" if code == "src" else "work.py"
    assert sorted(files) == sorted(["flow.flex.yaml", inside])
    copy = write(tmp_path / "copy", files)
    assert kept(copy)[1] == files


def test_of_a_prompty_what_it_names_is_kept(tmp_path: Path):
    others = {"other.prompty": PROMPTY, "notes.txt": "x", "pictures/cat.png": "c"}
    named = {"ask.prompty": PROMPTY, "tools.json": TOOLS, "sample.json": '{"question": "?"}', "pictures/dog.png": "d"}
    write(tmp_path, {**others, **named})
    assert sorted(kept(tmp_path / "ask.prompty")[1]) == sorted(named)
    write(tmp_path, {"p/ask.prompty": PROMPTY.replace("tools.json", "../tools.json")})
    with pytest.raises(UserError, match="outside of its folder"):
        kept(tmp_path / "p" / "ask.prompty")


def test_a_link_is_taken_as_the_file_that_it_leads_to_inside(flow: Path, tmp_path: Path):
    (flow / "same.py").symlink_to("work.py")
    assert kept(flow)[1]["same.py"] == TOOL
    secret = tmp_path / "credentials"
    secret.write_text("s3cret")
    (flow / "out").symlink_to(secret)
    with pytest.raises(UserError, match="is a link"):
        kept(flow)
    write(flow, {".flowyardignore": "out\n"})
    assert "out" not in kept(flow)[1]


@pytest.mark.parametrize("name", ["a\\b.txt", "what?.txt", "con:.txt", "line\nbreak"])
def test_names_that_windows_cannot_have_are_refused(flow: Path, name: str):
    (flow / name).write_text("x")
    with pytest.raises(UserError, match="cannot be kept on every platform"):
        kept(flow)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("flow.dag.yaml", DAG + "environment_variables: {API_KEY: s3cret-s3cret}\n"),
        ("connection.yaml", "type: open_ai\nname: c\napi_key: s3cret-s3cret\n"),
        ("connections/c.yml", "name: c\ntype: custom\nsecrets: {anything: s3cret-s3cret}\n"),
    ],
)
def test_a_secret_in_a_file_is_refused_and_not_shown(flow: Path, file: str, text: str):
    write(flow, {file: text})
    with pytest.raises(UserError, match="looks like a secret") as caught:
        kept(flow)
    assert "s3cret" not in str(caught.value)
    write(flow, {file: text.replace("s3cret-s3cret", "'${env:SOME_KEY}'")})
    kept(flow)


@pytest.mark.parametrize(
    ("file", "line"), [(".ssh/config", 1), ("certs/Server.KEY", 1), (".netrc", 1), ("client.pem", 3)]
)
def test_a_private_key_is_refused_unless_it_is_kept_by_name(flow: Path, file: str, line: int):
    before, _ = kept(flow)
    write(flow, {".gitignore": "x\n", "ca.pem": "-----BEGIN CERTIFICATE-----\n"})
    write(flow, {file: "k\n\n-----BEGIN RSA PRIVATE KEY-----\n" if line > 1 else "k\n"})
    write(flow, {"made.py": "KEY = (\n-----BEGIN PRIVATE KEY-----\n)\n"})
    with pytest.raises(UserError, match="for many to read") as caught:
        kept(flow)
    assert caught.value.where == f"{flow / file}:{line}"
    assert "takes the place of .gitignore" in str(caught.value.hint)
    write(flow, {".flowyardignore": f"ca.pem\n!/{file}\n"})
    assert file in kept(flow)[1]
    write(flow, {".flowyardignore": f"/{file}\n"})
    assert {"made.py", "ca.pem"} <= set(kept(flow)[1])
    assert file not in kept(flow)[1]
    for name in (".flowyardignore", ".gitignore", "made.py", "ca.pem", file):
        (flow / name).unlink()
    assert kept(flow)[0] == before


def test_a_secret_as_a_parameter_is_refused(flow: Path):
    with pytest.raises(UserError, match="looks like a secret"):
        kept(flow, parameters={"environment_variables.API_KEY": "s3cret-s3cret"})


def test_parameters_make_another_version(flow: Path):
    digests = {kept(flow)[0], *(kept(flow, parameters={"work.x": value})[0] for value in ("a", "b"))}
    assert len(digests) == 3

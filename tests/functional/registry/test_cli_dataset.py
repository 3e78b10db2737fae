"""``flowyard dataset``: register, list, show."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from functional_helper import quick_flowyard


def test_register_list_and_show(tmp_path: Path):
    (tmp_path / "tickets.jsonl").write_text('{"question": 1}\n')
    home = {"FLOWYARD_HOME": str(tmp_path / "home")}
    words = ("dataset", "register", "tickets.jsonl", "--name", "tickets", "--description", "steer\x1b[2J")
    made = json.loads(quick_flowyard(*words, "--json", cwd=tmp_path, env=home).stdout)
    assert (made["name"], made["version"], made["new"], made["source"]) == ("tickets", 1, True, "registry:tickets:1")
    assert Path(made["path"]).read_text() == '{"question": 1}\n'
    again = quick_flowyard(*words, cwd=tmp_path, env=home)
    assert "tickets:1, which has this content already: 1 file, 16 bytes" in again.stdout
    listed = quick_flowyard("dataset", "list", cwd=tmp_path, env=home)
    assert "tickets" in listed.stdout
    shown = quick_flowyard("dataset", "show", "tickets", cwd=tmp_path, env=home)
    assert made["digest"] in shown.stdout
    assert "tickets.jsonl" in shown.stdout
    assert "\x1b[2J" not in listed.stdout + shown.stdout


def test_errors_have_a_next_step_and_an_exit_code(tmp_path: Path):
    missing = quick_flowyard("dataset", "show", "tickets:3", "--home", tmp_path / "home", cwd=tmp_path)
    assert missing.returncode == 2
    assert "flowyard dataset register PATH --name tickets" in missing.stderr
    (tmp_path / "home").write_text("a file")
    (tmp_path / "data.csv").write_text("a,b\n")
    refused = quick_flowyard(
        "dataset", "register", "data.csv", "--name", "x", "--home", tmp_path / "home", cwd=tmp_path
    )
    assert refused.returncode == 5
    assert "Nothing was registered" in refused.stderr


def test_a_lost_content_comes_back_when_it_is_registered_again(tmp_path: Path):
    (tmp_path / "tickets.jsonl").write_text('{"question": 1}\n')
    home = {"FLOWYARD_HOME": str(tmp_path / "home")}
    words = ("dataset", "register", "tickets.jsonl", "--name", "tickets")
    quick_flowyard(*words, cwd=tmp_path, env=home)
    (blob,) = (tmp_path / "home" / "registry" / "blobs").iterdir()
    shutil.rmtree(tmp_path / "home" / "registry" / "trees")
    blob.chmod(0o600)
    blob.write_text('{"question": 2}\n')
    damaged = quick_flowyard("dataset", "show", "tickets", cwd=tmp_path, env=home)
    assert damaged.returncode == 5
    assert "Delete that file and register the same content again" in damaged.stderr
    blob.unlink()
    assert (
        "Register the same content again" in quick_flowyard("dataset", "show", "tickets", cwd=tmp_path, env=home).stderr
    )
    assert "tickets:1, which has this content already" in quick_flowyard(*words, cwd=tmp_path, env=home).stdout
    shown = quick_flowyard("dataset", "show", "tickets", "--json", cwd=tmp_path, env=home)
    assert Path(json.loads(shown.stdout)["path"]).read_text() == '{"question": 1}\n'


def test_times_in_lists_fit_into_one_line(tmp_path: Path):
    (tmp_path / "tickets.jsonl").write_text('{"question": 1}\n')
    home = {"FLOWYARD_HOME": str(tmp_path / "home"), "COLUMNS": "80"}
    quick_flowyard(
        "dataset", "register", "tickets.jsonl", "--name", "tickets", "--description", "x", cwd=tmp_path, env=home
    )
    for words in (("dataset", "list"), ("registry", "list"), ("registry", "show", "tickets")):
        listed = quick_flowyard(*words, cwd=tmp_path, env=home).stdout
        assert "registered (UTC)" in listed
        assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d\b", listed)

"""The connection store survives: many writers at once, kill at any moment, lost and wrong keys, damaged files."""

from __future__ import annotations

import base64
import json
import os
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from functional_helper import PATIENCE_S, Completed, Project, clean_environment, start_flowyard

from flowyard.errors import StoreError, UserError
from flowyard.llm import Connection, ConnectionStore
from flowyard.llm.connection import OpenAIConnection

KEY = "sk-Zq8vT3mLw0/cB+tested=="
YAML = f"type: open_ai\nname: my_model\napi_key: {KEY}\n"
WRITER = """\
import sys
from pathlib import Path
from flowyard.llm import ConnectionStore
from flowyard.llm.connection import OpenAIConnection
store = ConnectionStore(Path(sys.argv[1]), {})
for number in range(int(sys.argv[2]), 10_000):
    name = f"{sys.argv[3]}{number}"
    store.change(name, lambda _: OpenAIConnection(f"secret of {name}", name=name))
    print(name, flush=True)
"""


def create(project: Project, name: str = "my_model", code: int = 0, env: dict[str, str] | None = None) -> Completed:
    project.write("connection.yaml", YAML)
    done = project.run("connection", "create", "-f", "connection.yaml", "-n", name, code=code, env=env)
    assert KEY not in done.stdout + done.stderr
    return done


def folder(project: Project) -> Path:
    return project.home / "connections"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.skipif(sys.platform == "win32", reason="permission bits are POSIX")
def test_only_the_owner_can_read(project: Project):
    create(project)
    assert mode(folder(project)) == 0o700
    assert mode(folder(project) / "store.json") == 0o600
    assert mode(folder(project) / "key") == 0o600
    assert KEY not in (folder(project) / "store.json").read_text()
    create(project, "second")
    assert mode(folder(project) / "store.json") == 0o600


def test_processes_that_create_at_once_lose_nothing(project: Project):
    names = [f"connection_{number}" for number in range(8)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda name: create(project, name), names))
    store = ConnectionStore(folder(project), {})
    assert sorted(store.names()) == names
    assert {getattr(store.find(name), "api_key", None) for name in names} == {KEY}


def test_a_writer_killed_at_any_moment_leaves_a_whole_store(tmp_path: Path):
    store = ConnectionStore(tmp_path / "connections", {})
    finished: set[str] = set()
    for kill in range(6):
        command = [sys.executable, "-c", WRITER, str(tmp_path / "connections"), str(len(finished)), f"k{kill}_"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=clean_environment()) as writer:
            assert writer.stdout is not None
            for _ in range(3 + kill):
                finished.add(writer.stdout.readline().strip())
            os.kill(writer.pid, signal.SIGKILL)
            finished |= {line.strip() for line in writer.stdout if line.endswith("\n")}
        assert finished <= set(store.names())
        assert all(store.find(name) is not None for name in store.names())
    store.change("last", lambda _: OpenAIConnection("k", name="last"))
    left = {file.name for file in (tmp_path / "connections").iterdir()}
    assert left == {"store.json", "key", "lock"}


def test_a_command_killed_early_or_late_leaves_a_whole_store(project: Project):
    create(project)
    for wait in (0.05, 0.2, 0.35):
        process = start_flowyard(
            *("connection", "update", "-n", "my_model", "--set", "organization=o", "--home", project.home),
            cwd=project.root,
        )
        try:
            process.wait(wait)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(PATIENCE_S)
        found = ConnectionStore(folder(project), {}).find("my_model")
        assert found is not None
        assert found.api_key == KEY


def refused(project: Project, *args: str, env: dict[str, str] | None = None, code: int = 2) -> str:
    """The command is refused, says no secret, and the store's file is as it was."""
    before = (folder(project) / "store.json").read_bytes()
    done = project.run("connection", *args, code=code, env=env)
    assert (folder(project) / "store.json").read_bytes() == before
    assert KEY not in done.stdout + done.stderr
    return done.stderr


def test_a_lost_key_is_said_and_destroys_nothing(project: Project):
    create(project)
    key = (folder(project) / "key").read_bytes()
    (folder(project) / "key").unlink()
    for args in (["show", "-n", "my_model"], ["create", "-f", "connection.yaml", "-n", "second"]):
        said = refused(project, *args)
        assert "key" in said
        assert "FLOWYARD_KEY" in said
        assert "connection delete -y -n 'my_model'" in said
        assert not (folder(project) / "key").exists()
    assert "problem" in project.json("connection", "list")[0]
    (folder(project) / "key").write_bytes(key)
    assert project.json("connection", "show", "-n", "my_model")["api_key"] == "******"


def test_without_the_key_one_can_delete_and_start_anew(project: Project):
    create(project)
    (folder(project) / "key").unlink()
    project.run("connection", "delete", "-y", "-n", "my_model")
    create(project, "again")
    assert ConnectionStore(folder(project), {}).find("again") == OpenAIConnection(KEY, name="again")


def test_the_key_from_the_environment(project: Project):
    env = {"FLOWYARD_KEY": base64.b64encode(os.urandom(32)).decode()}
    create(project, env=env)
    assert not (folder(project) / "key").exists()
    found = ConnectionStore(folder(project), env).find("my_model")
    assert found == OpenAIConnection(KEY, name="my_model")
    other = {"FLOWYARD_KEY": base64.b64encode(os.urandom(32)).decode()}
    for args in (["show", "-n", "my_model"], ["update", "-n", "my_model", "--set", "organization=o"]):
        said = refused(project, *args, env=other)
        assert "another key than the variable FLOWYARD_KEY" in said
        assert other["FLOWYARD_KEY"] not in said
    refused(project, "create", "-f", "connection.yaml", "-n", "second", env=other)


@pytest.mark.parametrize("key", ["short", "not base64!", "QUJD"])
def test_a_malformed_key(project: Project, key: str):
    project.write("connection.yaml", YAML)
    said = project.run("connection", "create", "-f", "connection.yaml", code=2, env={"FLOWYARD_KEY": key}).stderr
    assert "openssl rand -base64 32" in said
    assert key not in said


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"version": 99}', '{"version": 1, "key": null, "connections": {"a": 1}}']
)
def test_a_damaged_file_is_left_as_it_is(project: Project, text: str):
    create(project)
    (folder(project) / "store.json").write_text(text)
    for args in (["list"], ["create", "-f", "connection.yaml"], ["delete", "-y", "-n", "my_model"]):
        assert "backup" in refused(project, *args, code=5)


def test_a_damaged_secret_is_said(project: Project):
    create(project)
    file = folder(project) / "store.json"
    data = json.loads(file.read_text())
    data["connections"]["my_model"]["secrets"]["api_key"] = "gAAAAA=="
    file.write_text(json.dumps(data))
    with pytest.raises(StoreError, match="damaged"):
        ConnectionStore(folder(project), {}).find("my_model")


def test_an_edit_that_fails_changes_nothing(tmp_path: Path):
    store = ConnectionStore(tmp_path, {})
    store.change("a", lambda _: OpenAIConnection("k", name="a"))
    before = store.file.read_bytes()

    def fail(_: Connection | None) -> Connection:
        raise UserError("no")

    with pytest.raises(UserError):
        store.change("a", fail)
    assert store.file.read_bytes() == before


def test_a_folder_that_cannot_be_written(project: Project):
    project.home.write_text("a file, not a folder")
    project.write("connection.yaml", YAML)
    done = project.run("connection", "create", "-f", "connection.yaml", code=5)
    assert "cannot be written" in done.stderr
    assert "FLOWYARD_HOME" in done.stderr

"""Secrets in the keyring of the operating system: a keyring of the tests with faults, and a real Secret Service."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from functional_helper import Project, all_text, clean_environment, one_node_flow
from places import HELPERS

from flowyard.errors import OutsideError, StoreError
from flowyard.llm import ConnectionStore
from flowyard.llm.connection import CustomConnection, OpenAIConnection
from flowyard.llm.keyring_items import Keyring

pytest.importorskip("keyring")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the keyring of these tests locks as POSIX does")

KEY = "sk-Zq8vT3mLw0/cB+tested=="
YAML = f"type: open_ai\nname: my_model\napi_key: {KEY}\n"
SHOWS_ITS_KEY = """\
from promptflow.connections import OpenAIConnection
from promptflow.core import tool


@tool
def work(x: str, conn: OpenAIConnection):
    return str(len(conn.api_key)) + conn.api_key[-4:]
"""


class Ring:
    """A project whose machine has a keyring, which is one file."""

    def __init__(self, project: Project, folder: Path) -> None:
        self.project = project
        self.file = folder / "ring.json"
        self.env = {
            "PYTHON_KEYRING_BACKEND": "file_keyring.FileKeyring",
            "PYTHONPATH": os.pathsep.join([str(HELPERS), os.environ.get("PYTHONPATH", "")]),
            "RING_FILE": str(self.file),
        }
        project.write("connection.yaml", YAML)

    def items(self) -> dict[str, str]:
        return json.loads(self.file.read_text()) if self.file.exists() else {}

    def run(self, *args: str, code: int | None = 0, **env: str) -> str:
        done = self.project.run("connection", *args, code=code, env={**self.env, **env})
        assert KEY not in done.stdout + done.stderr
        return done.stdout + done.stderr

    def create(self, *args: str, code: int | None = 0, **env: str) -> str:
        return self.run("create", "-f", "connection.yaml", *args, code=code, **env)

    def show(self, name: str = "my_model") -> dict[str, str]:
        return self.project.json("connection", "show", "-n", name, env=self.env)

    def stored(self) -> str:
        return all_text(self.project.home)


@pytest.fixture
def ring(project: Project, tmp_path: Path) -> Ring:
    return Ring(project, tmp_path)


def test_a_secret_is_in_the_keyring_and_nowhere_else(ring: Ring):
    ring.create()
    assert [json.loads(text) for text in ring.items().values()] == [{"api_key": KEY}]
    assert KEY not in ring.stored()
    assert not (ring.project.home / "connections" / "key").exists()
    assert ring.show()["secrets_in"] == "keyring"
    (listed,) = ring.project.json("connection", "list", env=ring.env)
    assert (listed["origin"], listed["secrets_in"], listed["api_key"]) == ("local store", "keyring", "******")
    assert "secrets in" in ring.run("list")
    ring.run("delete", "-n", "my_model", "-y")
    assert ring.items() == {}


def test_a_flow_uses_it_also_in_workers_without_a_keyring(ring: Ring):
    ring.create()
    flow = ring.project.flow("asks", one_node_flow({"x": "string"}, connection="my_model"), work_py=SHOWS_ITS_KEY)
    data = ring.project.jsonl("data.jsonl", [{"x": "a"}])
    run = ring.project.json("run", "create", "--flow", flow, "--data", data, env=ring.env)
    assert ring.project.lines(run)[0]["outputs"] == {"out": f"{len(KEY)}{KEY[-4:]}"}


def test_updating_leaves_one_item_and_creating_again_keeps_the_secret(ring: Ring):
    ring.create()
    before = set(ring.items())
    ring.run("update", "-n", "my_model", "--set", "organization=o")
    ring.project.write("connection.yaml", YAML.replace(KEY, '"******"'))
    ring.create()
    assert [json.loads(text) for text in ring.items().values()] == [{"api_key": KEY}]
    assert before.isdisjoint(ring.items())
    assert ring.show()["secrets_in"] == "keyring"


def test_moving_there_and_back(ring: Ring):
    ring.create(FLOWYARD_SECRETS="file")
    assert (ring.show()["secrets_in"], ring.items()) == ("file", {})
    ring.create("-n", "second", FLOWYARD_SECRETS="file")
    assert ring.project.json("connection", "move", "--to", "keyring", "--all", env=ring.env) == {
        "moved": ["my_model", "second"],
        "to": "keyring",
    }
    assert len(ring.items()) == 2
    assert ring.project.json("connection", "move", "--to", "keyring", "--all", env=ring.env)["moved"] == []
    ring.run("move", "--to", "file", "-n", "second")
    assert (ring.show()["secrets_in"], ring.show("second")["secrets_in"]) == ("keyring", "file")
    assert len(ring.items()) == 1
    assert "Say which" in ring.run("move", "--to", "file", code=2)
    assert "my_model" in ring.run("move", "--to", "file", "-n", "my_modle", code=2)


def test_an_update_stays_where_the_secret_is(ring: Ring):
    ring.create(FLOWYARD_SECRETS="file")
    ring.run("update", "-n", "my_model", "--set", "organization=o")
    assert (ring.show()["secrets_in"], ring.items()) == ("file", {})


def test_the_configuration_chooses(ring: Ring):
    ring.project.run("config", "set", "connection.secrets=file")
    ring.create()
    assert (ring.show()["secrets_in"], ring.items()) == ("file", {})
    refused = ring.project.run("config", "set", "connection.secrets=vault", code=2)
    assert "'auto', 'keyring'" in refused.stderr
    assert "FLOWYARD_SECRETS" in ring.create("-n", "other", code=2, FLOWYARD_SECRETS="ring")


def test_a_given_key_is_a_wish_for_the_file(ring: Ring):
    ring.create(FLOWYARD_KEY="MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
    assert ring.items() == {}


@pytest.mark.parametrize("backend", ["fail", "null"])
def test_what_is_no_keyring_is_not_used(ring: Ring, backend: str):
    env = {"PYTHON_KEYRING_BACKEND": f"keyring.backends.{backend}.Keyring"}
    assert "Warning" not in ring.create(**env)
    assert ring.show()["secrets_in"] == "file"
    assert "no keyring" in ring.create("-n", "other", code=5, FLOWYARD_SECRETS="keyring", **env)
    assert "other" not in ring.stored()


@pytest.mark.parametrize("fault", ["refuse set", "lie"])
def test_a_keyring_that_refuses_leaves_the_secret_in_the_file(ring: Ring, fault: str):
    said = ring.create(RING_FAULT=fault)
    assert "in the encrypted file instead" in said
    assert ring.show()["secrets_in"] == "file"
    assert ring.items() == {}


@pytest.mark.parametrize("fault", ["refuse set", "refuse get", "lie"])
def test_a_keyring_that_refuses_half_way_loses_nothing(ring: Ring, fault: str):
    ring.create(FLOWYARD_SECRETS="file")
    ring.run("move", "--to", "keyring", "--all", code=5, RING_FAULT=fault)
    assert ring.show()["secrets_in"] == "file"
    ring.run("move", "--to", "keyring", "--all")
    assert len(ring.items()) == 1
    ring.run(
        "update",
        "-n",
        "my_model",
        "--set",
        "organization=o",
        code=5,
        RING_FAULT=fault if fault != "lie" else "refuse set",
    )
    assert ring.show()["organization"] is None
    assert [json.loads(text) for text in ring.items().values()] == [{"api_key": KEY}]


def test_a_command_killed_between_the_keyring_and_the_file(ring: Ring):
    ring.create()
    ring.run(
        "update",
        "-n",
        "my_model",
        "--set",
        "organization=o",
        code=9,
        PYTHON_KEYRING_BACKEND="file_keyring.DiesAfterSet",
    )
    assert len(ring.items()) == 2
    assert ring.show()["organization"] is None
    ring.run("update", "-n", "my_model", "--set", "organization=p")
    assert len(ring.items()) == 1, "the item of the killed command is deleted, too"
    assert ring.show()["organization"] == "p"


def test_what_cannot_be_deleted_is_said_and_deleted_later(ring: Ring):
    ring.create()
    assert "tried again" in ring.run("delete", "-n", "my_model", "-y", RING_FAULT="refuse delete")
    assert len(ring.items()) == 1
    ring.create("-n", "other", FLOWYARD_SECRETS="file")
    assert ring.items() == {}


def test_an_item_that_somebody_deleted(ring: Ring):
    ring.create()
    ring.file.write_text("{}")
    said = ring.run("show", "-n", "my_model", code=5)
    assert "delete -y -n 'my_model'" in said
    (listed,) = ring.project.json("connection", "list", env=ring.env)
    assert "keyring" in listed["problem"]
    ring.run("delete", "-n", "my_model", "-y")
    ring.create()
    assert ring.show()["secrets_in"] == "keyring"


def test_without_the_package_a_kept_secret_says_what_to_install(ring: Ring):
    ring.create()
    blocked = ring.project.root / "blocked" / "keyring"
    blocked.mkdir(parents=True)
    (blocked / "__init__.py").write_text("raise ImportError('blocked')")
    path = os.pathsep.join([str(blocked.parent), ring.env["PYTHONPATH"]])
    assert "flowyard[keyring]" in ring.run("show", "-n", "my_model", code=2, PYTHONPATH=path)
    ring.create("-n", "other", PYTHONPATH=path)
    assert ring.show("other")["secrets_in"] == "file"


def test_processes_that_create_at_once_lose_nothing(ring: Ring):
    names = [f"connection_{number}" for number in range(6)]
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda name: ring.create("-n", name), names))
    listed = ring.project.json("connection", "list", env=ring.env)
    assert sorted(each["name"] for each in listed) == names
    assert {each["secrets_in"] for each in listed} == {"keyring"}
    assert len(ring.items()) == 6


@contextmanager
def keyring_in_this_process(ring: Ring, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    import keyring
    from file_keyring import FileKeyring

    monkeypatch.setenv("RING_FILE", str(ring.file))
    before = keyring.get_keyring()
    keyring.set_keyring(FileKeyring())
    try:
        yield
    finally:
        keyring.set_keyring(before)


def test_a_keyring_that_never_answers_is_given_up(ring: Ring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with keyring_in_this_process(ring, monkeypatch):
        store = ConnectionStore(tmp_path / "store", {}, keyring=Keyring(ask_s=0.2))
        monkeypatch.setenv("RING_FAULT", "hang set")
        store.change("mine", lambda _: OpenAIConnection(KEY, name="mine"))
        assert store.secrets_in("mine") == "file"
        assert "did not answer" in store.warnings[0]
        monkeypatch.setenv("RING_FAULT", "")
        store = ConnectionStore(tmp_path / "store", {}, keyring=Keyring(ask_s=0.2))
        assert store.move("mine", "keyring")
        monkeypatch.setenv("RING_FAULT", "hang get")
        silent = ConnectionStore(tmp_path / "store", {}, keyring=Keyring(ask_s=0.2))
        for _ in range(2):
            with pytest.raises(OutsideError, match="answer"):
                silent.find("mine")


def test_secrets_travel_with_a_pickled_store_and_nowhere_in_its_text(
    ring: Ring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with keyring_in_this_process(ring, monkeypatch):
        store = ConnectionStore(tmp_path / "store", {})
        made = CustomConnection({"token": KEY, "empty": None}, {"place": "x"}, name="mine")
        store.change("mine", lambda _: made)
        travelled = pickle.dumps(ConnectionStore(tmp_path / "store", {}))
        ring.file.write_text("{}")
        assert pickle.loads(travelled).stored("mine") == made
        with pytest.raises(StoreError):
            ConnectionStore(tmp_path / "store", {}).stored("mine")
        assert KEY not in repr(store) + repr(store.warnings)


@pytest.fixture
def secret_service(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The variables of a session with a D-Bus and an unlocked gnome-keyring of its own."""
    for program in ("dbus-daemon", "gnome-keyring-daemon"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed; scripts/test.sh installs it where it can")
    pytest.importorskip("secretstorage")
    folder = tmp_path / "session"
    folder.mkdir(mode=0o700)
    own = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)}
    env = clean_environment(own)
    env.pop("DBUS_SESSION_BUS_ADDRESS", None)
    with subprocess.Popen(
        ["dbus-daemon", "--session", "--nofork", "--print-address", f"--address=unix:path={folder}/bus"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=env,
        text=True,
    ) as bus:
        try:
            assert bus.stdout is not None
            own["DBUS_SESSION_BUS_ADDRESS"] = bus.stdout.readline().strip()
            with subprocess.Popen(
                ["gnome-keyring-daemon", "--unlock", "--foreground", "--components=secrets"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**env, **own},
                text=True,
            ) as daemon:
                try:
                    assert daemon.stdin is not None
                    assert daemon.stdout is not None
                    daemon.stdin.write("the password of the keyring")
                    daemon.stdin.close()
                    daemon.stdout.readline()  # it says where it listens when it is ready
                    yield own
                finally:
                    daemon.kill()
        finally:
            bus.kill()


def test_a_real_secret_service(project: Project, secret_service: dict[str, str]):
    project.write("connection.yaml", YAML)
    env = {**secret_service, "PYTHON_KEYRING_BACKEND": "keyring.backends.SecretService.Keyring"}
    project.run("connection", "create", "-f", "connection.yaml", env={**env, "FLOWYARD_SECRETS": "keyring"})
    assert project.json("connection", "show", "-n", "my_model", env=env)["secrets_in"] == "keyring"
    look = "import keyring, sys, json; print(keyring.get_password('flowyard', sys.argv[1]))"
    item = json.loads((project.home / "connections" / "store.json").read_text())["connections"]["my_model"]["keyring"]
    command = [sys.executable, "-c", look, item]

    def looked_up() -> str:
        return subprocess.run(command, env=clean_environment(env), capture_output=True, text=True, check=False).stdout

    assert json.loads(looked_up()) == {"api_key": KEY}
    assert KEY not in all_text(project.home) + all_text(Path(secret_service["HOME"]))
    project.run("connection", "delete", "-n", "my_model", "-y", env=env)
    assert looked_up() == "None\n"

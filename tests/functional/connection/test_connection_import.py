"""``flowyard connection import``: prompt flow's local connections, with the key of its keyring and without it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from functional_helper import Project

from flowyard.llm import ConnectionStore
from flowyard.llm.connection import AzureOpenAIConnection, CustomConnection

KEY = "sk-Zq8vT3mLw0/cB+tested=="
KEYRING = """\
import json, os
from pathlib import Path


def get_password(service, username):
    file = os.environ.get("KEYRING_FILE")
    if not file:
        raise RuntimeError("no backend")
    return json.loads(Path(file).read_text()).get(f"{service}/{username}")
"""


def database(folder: Path, key: bytes) -> Path:
    """A database as prompt flow lays it out."""
    hidden = Fernet(key).encrypt(KEY.encode()).decode()
    azure = {"api_base": "https://there", "api_type": "azure", "api_version": "2024-02-01", "api_key": hidden}
    custom = {
        "place": {"configValueType": "String", "value": "north"},
        "token": {"configValueType": "Secret", "value": hidden},
    }
    rows = [
        ("my_model", "AzureOpenAI", json.dumps({**azure, "auth_mode": "key", "resource_id": None}), "{}"),
        ("my tool", "Custom", "{}", json.dumps(custom)),
        ("token_auth", "AzureOpenAI", json.dumps({"api_base": "https://b", "auth_mode": "meid_token"}), "{}"),
        ("strange", "Nonsense", "{}", "{}"),
    ]
    file = folder / "pf.sqlite"
    with closing(sqlite3.connect(file)) as made, made:
        made.execute(
            'CREATE TABLE connection ("connectionName" TEXT, "connectionType" TEXT, configs TEXT, "customConfigs" TEXT)'
        )
        made.executemany("INSERT INTO connection VALUES (?, ?, ?, ?)", rows)
    return file


def keyring_with(tmp_path: Path, key: bytes | None) -> dict[str, str]:
    """The environment of a machine whose keyring has (or lacks) prompt flow's key."""
    site = tmp_path / "site"
    site.mkdir(exist_ok=True)
    (site / "keyring.py").write_text(KEYRING)
    entries = {"promptflow/encryption_key": key.decode()} if key else {}
    (tmp_path / "keyring.json").write_text(json.dumps(entries))
    return {"PYTHONPATH": str(site), "KEYRING_FILE": str(tmp_path / "keyring.json")}


def test_with_the_key(project: Project, tmp_path: Path):
    key = Fernet.generate_key()
    file = database(tmp_path, key)
    before = file.read_bytes()
    done = project.run("connection", "import", "--from", file, "--json", env=keyring_with(tmp_path, key))
    assert KEY not in done.stdout + done.stderr
    assert json.loads(done.stdout) == {"imported": ["my tool", "my_model", "token_auth"], "skipped": [], "commands": []}
    assert "'strange'" in done.stderr
    store = ConnectionStore(project.home / "connections", {})
    assert store.find("my_model") == AzureOpenAIConnection("https://there", KEY, name="my_model")
    assert store.find("my tool") == CustomConnection({"token": KEY}, {"place": "north"}, name="my tool")
    found = store.find("token_auth")
    assert found is not None
    assert found.auth_mode == "meid_token"
    assert file.read_bytes() == before


@pytest.mark.parametrize("why", ["no package", "no backend", "no key", "another key", "malformed key"])
def test_without_the_key_the_commands_that_set_the_secrets_are_told(project: Project, tmp_path: Path, why: str):
    file = database(tmp_path, Fernet.generate_key())
    env = {
        "no package": {},
        "no backend": {**keyring_with(tmp_path, None), "KEYRING_FILE": ""},
        "no key": keyring_with(tmp_path, None),
        "another key": keyring_with(tmp_path, Fernet.generate_key()),
        "malformed key": keyring_with(tmp_path, b"short"),
    }[why]
    told = project.json("connection", "import", "--from", file, env=env)
    assert told["imported"] == ["my tool", "my_model", "token_auth"]
    assert told["commands"] == [
        "flowyard connection update -n 'my tool' --set secrets.token=@-",
        "flowyard connection update -n my_model --set api_key=@-",
    ]
    said = project.run("connection", "show", "-n", "my tool", code=2).stderr
    assert "--set secrets.token=@-" in said
    assert "api_key" in project.run("connection", "show", "-n", "my_model", code=2).stderr
    project.write("key.txt", KEY)
    project.run("connection", "update", "-n", "my tool", "--set", "secrets.token=@key.txt")
    project.run("connection", "update", "-n", "my_model", "--set", "api_key=@key.txt")
    found = ConnectionStore(project.home / "connections", {}).find("my_model")
    assert found == AzureOpenAIConnection("https://there", KEY, name="my_model")


def test_what_is_stored_already_stays(project: Project, tmp_path: Path):
    key = Fernet.generate_key()
    file = database(tmp_path, key)
    env = keyring_with(tmp_path, key)
    project.write("mine.yaml", f"name: my_model\ntype: serp\napi_key: {KEY}\n")
    project.run("connection", "create", "-f", "mine.yaml")
    told = project.json("connection", "import", "--from", file, env=env)
    assert told["skipped"] == ["my_model"]
    assert project.json("connection", "show", "-n", "my_model")["type"] == "serp"
    assert project.json("connection", "import", "--from", file, "--overwrite", env=env)["skipped"] == []
    assert project.json("connection", "show", "-n", "my_model")["type"] == "azure_open_ai"


def test_wrong_databases(project: Project):
    assert "--from" in project.rejected("connection", "import", "--from", "nothing.sqlite")
    project.write("text.sqlite", "not a database, but a text that is long enough to be looked at")
    assert "text.sqlite" in project.rejected("connection", "import", "--from", "text.sqlite")
    with closing(sqlite3.connect(project.root / "empty.sqlite")) as empty, empty:
        empty.execute("CREATE TABLE other (a TEXT)")
    assert "empty.sqlite" in project.rejected("connection", "import", "--from", "empty.sqlite")

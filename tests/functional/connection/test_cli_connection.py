"""``flowyard connection``: what is stored, what is shown, what is asked, and what is refused."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path
from typing import Any

import pytest
from functional_helper import PATIENCE_S, Completed, Project, clean_environment, command_line, flowyard, one_node_flow

KEY = "sk-Zq8vT3mLw0/cB+tested=="
OTHER_KEY = "sk-another-0123456789"
AZURE = """\
$schema: https://azuremlschemas.azureedge.net/promptflow/latest/AzureOpenAIConnection.schema.json
name: my_model
type: azure_open_ai
api_key: "{key}"
api_base: https://there.openai.azure.com
api_version: 2024-02-01
"""
CUSTOM = "name: my_tool\ntype: custom\nconfigs: {place: north}\nsecrets: {token: '{key}'}\n"
SHOW_TOOL = """\
from promptflow.connections import {kind}
from promptflow.core import tool


@tool
def work(x: str, conn: {kind}):
    return {{**dict(conn), "{secret}": conn["{secret}"][::-1]}}
"""


def create(project: Project, yaml: str, *args: str, key: str = KEY, code: int = 0, env: Any = None) -> Completed:
    project.write("connection.yaml", yaml.replace("{key}", key))
    done = project.run("connection", "create", "-f", "connection.yaml", *args, code=code, env=env)
    assert KEY not in done.stdout + done.stderr
    return done


def used(project: Project, name: str = "my_model", kind: str = "AzureOpenAIConnection", secret: str = "api_key") -> Any:
    """What a node receives as the connection, its secret spelt backwards."""
    tool = SHOW_TOOL.format(kind=kind, secret=secret)
    flow = project.flow("flow", one_node_flow({"x": "string"}, connection=name), work_py=tool)
    return project.json("flow", "test", "--flow", flow, "--inputs", "x=1")["out"]


def test_create_use_show_list_and_delete(project: Project):
    create(project, AZURE)
    assert used(project) == {
        "api_base": "https://there.openai.azure.com",
        "api_type": "azure",
        "api_version": "2024-02-01",
        "auth_mode": "key",
        "resource_id": None,
        "api_key": KEY[::-1],
    }
    shown = project.json("connection", "show", "-n", "my_model")
    assert shown["api_key"] == "******"
    assert shown["api_version"] == "2024-02-01"
    assert shown["origin"] == "local store"
    assert project.json("connection", "list") == [shown]
    assert project.json("connection", "delete", "-n", "my_model", "-y") == {"name": "my_model", "deleted": True}
    assert project.json("connection", "list") == []


TYPES = {
    "open_ai": ({"organization": "o", "base_url": "http://localhost:1/v1"}, {}),
    "azure_open_ai": ({"api_base": "https://b"}, {"api_type": "azure", "api_version": "2024-02-01"}),
    "serverless": ({"api_base": "https://b"}, {}),
    "cognitive_search": ({"api_base": "https://b"}, {"api_version": "2023-11-01"}),
    "azure_ai_services": ({"endpoint": "https://e"}, {"auth_mode": "key"}),
    "azure_content_safety": ({"endpoint": "https://e"}, {"api_version": "2023-10-01", "api_type": "Content Safety"}),
    "form_recognizer": ({"endpoint": "https://e"}, {"api_version": "2023-07-31", "api_type": "Form Recognizer"}),
    "serp": ({}, {}),
    "qdrant": ({"api_base": "https://b"}, {}),
    "weaviate": ({"api_base": "https://b"}, {}),
}


@pytest.mark.parametrize(("kind", "fields", "defaults"), [(kind, *both) for kind, both in TYPES.items()])
def test_every_type(project: Project, kind: str, fields: dict[str, str], defaults: dict[str, str]):
    yaml = "".join(f"{key}: {value}\n" for key, value in {"name": "c", "type": kind, **fields}.items())
    create(project, yaml + "api_key: '{key}'\n")
    shown = project.json("connection", "show", "-n", "c")
    assert shown.items() >= {"type": kind, "api_key": "******", **fields, **defaults}.items()


def test_a_strong_type_keeps_what_it_is(project: Project):
    create(project, CUSTOM + "custom_type: MyConn\nmodule: my_pkg.conn\npackage: my-pkg\npackage_version: 0.0.1\n")
    shown = project.json("connection", "show", "-n", "my_tool")
    assert shown["configs"] == {
        "place": "north",
        "promptflow.connection.custom_type": "MyConn",
        "promptflow.connection.module": "my_pkg.conn",
        "promptflow.connection.package": "my-pkg",
        "promptflow.connection.package_version": "0.0.1",
    }
    assert shown["secrets"] == {"token": "******"}


def test_an_env_file_becomes_secrets(project: Project):
    project.write(".env", f"TOKEN={KEY}\nPLACE='the north'\n")
    assert "--name" in project.rejected("connection", "create", "--file", ".env")
    made = project.json("connection", "create", "--file", ".env", "--name", "from_env")
    assert made["secrets"] == {"TOKEN": "******", "PLACE": "******"}
    (project.root / ".env").unlink()
    assert used(project, "from_env", "CustomConnection", "TOKEN") == {"TOKEN": KEY[::-1], "PLACE": "******"}


def test_name_and_set_win_over_the_file(project: Project):
    create(project, AZURE, "-n", "other", "--set", "api_base=https://elsewhere", "api_version=2025-01-01")
    shown = project.json("connection", "show", "-n", "other")
    assert (shown["api_base"], shown["api_version"]) == ("https://elsewhere", "2025-01-01")
    project.run("connection", "show", "-n", "my_model", code=2)


def test_creating_again_updates(project: Project):
    create(project, AZURE)
    assert "Updated" in create(project, AZURE, "--set", "api_version=2025-01-01", key="******").stderr
    assert used(project)["api_version"] == "2025-01-01"
    assert used(project)["api_key"] == KEY[::-1]
    refused = create(project, CUSTOM.replace("my_tool", "my_model"), code=2)
    assert "azure_open_ai" in refused.stderr
    assert "connection delete" in refused.stderr


@pytest.mark.parametrize("mark", ["", "***", "******", "<no-change>"])
def test_update_keeps_the_secret_for_a_placeholder(project: Project, mark: str):
    create(project, AZURE)
    project.run("connection", "update", "-n", "my_model", "--set", f"api_key={mark}", "api_version=2025-01-01")
    assert (used(project)["api_key"], used(project)["api_version"]) == (KEY[::-1], "2025-01-01")


def test_update_from_a_file(project: Project):
    create(project, AZURE)
    project.write("change.yaml", "api_key: <no-change>\napi_base: https://elsewhere\n")
    project.run("connection", "update", "-n", "my_model", "--file", "change.yaml")
    assert (used(project)["api_key"], used(project)["api_base"]) == (KEY[::-1], "https://elsewhere")


def test_update_of_a_custom_connection(project: Project):
    create(project, CUSTOM)
    project.run("connection", "update", "-n", "my_tool", "--set", "place=south", "configs.size=big")
    assert used(project, "my_tool", "CustomConnection", "token") == {
        "place": "south",
        "size": "big",
        "token": KEY[::-1],
    }
    said = project.run("connection", "update", "-n", "my_tool", "--set", "colour=red", code=2).stderr
    assert "secrets.colour" in said
    assert "configs.colour" in said


@pytest.mark.parametrize("given", ["api_key=@key.txt", "api_key=${env:THE_KEY}"])
def test_secrets_that_are_not_on_the_command_line(project: Project, given: str):
    project.write("key.txt", KEY + "\n")
    done = create(project, AZURE, "--set", given, key="<user-input>", env={"THE_KEY": KEY})
    assert "Warning" not in done.stderr
    tool = SHOW_TOOL.format(kind="AzureOpenAIConnection", secret="api_key")
    flow = project.flow("flow", one_node_flow({"x": "string"}, connection="my_model"), work_py=tool)
    out = project.json("flow", "test", "--flow", flow, "--inputs", "x=1", env={"THE_KEY": KEY})["out"]
    assert out["api_key"] == KEY[::-1]


def test_a_variable_is_read_anew_and_its_absence_is_said(project: Project):
    create(project, AZURE, "--set", "api_key=${env:THE_KEY}", key="")
    said = project.run("connection", "show", "-n", "my_model", code=2).stderr
    assert "THE_KEY" in said


def test_a_secret_on_stdin(project: Project):
    project.write("connection.yaml", AZURE.replace("{key}", ""))
    args = ("connection", "create", "-f", "connection.yaml", "--set", "api_key=@-", "--home", project.home)
    done = subprocess.run(
        command_line(args),
        cwd=project.root,
        env=clean_environment(),
        input=KEY + "\n",
        text=True,
        check=True,
        timeout=60,
    )
    assert done.returncode == 0
    assert used(project)["api_key"] == KEY[::-1]


def test_a_secret_on_the_command_line_is_warned_of(project: Project):
    done = create(project, AZURE, "--set", f"api_key={OTHER_KEY}", "api_version=2025-01-01")
    assert "Warning" in done.stderr
    assert "api_key=@-" in done.stderr
    assert "api_version" not in done.stderr
    assert OTHER_KEY not in done.stdout + done.stderr


REFUSED = {
    "no file": (["create", "-f", "nothing.yaml"], "nothing.yaml"),
    "no such suffix": (["create", "-f", "work.txt"], ".yaml"),
    "no mapping": (["create", "-f", "list.yaml"], "list.yaml:1"),
    "unknown type": (["create", "-f", "typo.yaml"], "azure_open_ai"),
    "unknown field": (["create", "-f", "field.yaml"], "api_base"),
    "missing field": (["create", "-f", "missing.yaml"], "api_base"),
    "placeholder": (["create", "-f", "blank.yaml"], "api_base"),
    "no terminal": (["create", "-f", "ask.yaml"], "api_key=@-"),
    "odd name": (["create", "-f", "good.yaml", "-n", " x"], "name"),
    "set without =": (["create", "-f", "good.yaml", "--set", KEY.rstrip("=")], "name=value"),
    "set of a secret alone": (["create", "-f", "good.yaml", "--set", KEY], "no such field"),
    "set of a wrong field": (["create", "-f", "good.yaml", "--set", f"api_keey={KEY}"], "api_key"),
    "set of the type": (["create", "-f", "good.yaml", "--set", "type=custom"], "type"),
    "unreadable @file": (["create", "-f", "good.yaml", "--set", f"api_key=@{KEY}"], "@@"),
    "update of nothing": (["update", "-n", "nobody", "--set", "a=b"], "nobody"),
    "update without change": (["update", "-n", "nobody"], "--set"),
    "show of nothing": (["show", "-n", "nobody"], "nobody"),
    "delete of nothing": (["delete", "-n", "nobody", "-y"], "nobody"),
}
FILES = {
    "work.txt": "x",
    "list.yaml": "- a\n",
    "typo.yaml": AZURE.replace("azure_open_ai", "azure_openn_ai"),
    "field.yaml": AZURE.replace("api_base", "api_bsae"),
    "missing.yaml": "type: azure_open_ai\nname: c\napi_key: x\n",
    "blank.yaml": AZURE.replace("https://there.openai.azure.com", "<user-input>"),
    "ask.yaml": AZURE.replace("{key}", "<user-input>"),
    "good.yaml": AZURE,
}


@pytest.mark.parametrize(("args", "named"), REFUSED.values(), ids=REFUSED.keys())
def test_wrong_input(project: Project, args: list[str], named: str):
    for file, text in FILES.items():
        project.write(file, text.replace("{key}", KEY))
    said = project.rejected("connection", *args)
    assert named in said
    assert KEY.rstrip("=") not in said


def test_delete_asks_and_says_so_without_a_terminal(project: Project):
    create(project, AZURE)
    assert "--yes" in project.run("connection", "delete", "-n", "my_model", code=2).stderr
    assert [each["name"] for each in project.json("connection", "list")] == ["my_model"]


def test_near_names_and_other_places_are_named(project: Project):
    create(project, AZURE)
    assert "'my_model'" in project.run("connection", "show", "-n", "my_modle", code=2).stderr
    variable = {"elsewhere": json.dumps({"type": "open_ai", "api_key": KEY})}
    said = project.run("connection", "delete", "-n", "elsewhere", "-y", code=2, env=variable).stderr
    assert "environment" in said
    assert KEY not in said


def test_list_says_where_each_comes_from(project: Project):
    create(project, AZURE)
    project.write("pyproject.toml", "")
    project.write(".env", f'in_env_file={{"type": "open_ai", "api_key": "{KEY}"}}\n')
    project.write("connections/in_file.yaml", f"type: serp\nname: in_file\napi_key: {KEY}\n")
    project.write("connections/broken.yaml", "type: serp\nname: broken\napi_key: ${env:NOT_SET}\n")
    env = {"in_environment": json.dumps({"type": "custom", "configs": {"a": "b"}, "secrets": {"t": KEY}})}
    done = project.run("connection", "list", "--json", env=env)
    assert KEY not in done.stdout + done.stderr
    listed = {each["name"]: each for each in json.loads(done.stdout)}
    origins = {name: Path(each["origin"]).name for name, each in listed.items()}
    assert origins == {
        "in_environment": "environment",
        "in_env_file": ".env",
        "in_file": "in_file.yaml",
        "broken": "broken.yaml",
        "my_model": "local store",
    }
    assert "NOT_SET" in listed["broken"]["problem"]
    assert [each["name"] for each in project.json("connection", "list", "-r", "1", env=env)] == ["in_environment"]
    table = project.run("connection", "list", env=env).stdout
    assert "local store" in table
    assert "NOT_SET" in table


def test_nearer_sources_win_over_the_store(project: Project):
    create(project, AZURE)
    assert project.json("connection", "show", "-n", "my_model")["origin"] == "local store"
    field = {"MY_MODEL_API_BASE": "https://from.environment"}
    shown = project.json("connection", "show", "-n", "my_model", env=field)
    assert shown["api_base"] == "https://from.environment"
    assert shown["origin"] == "local store, over it: environment"
    project.write("pyproject.toml", "")
    project.write("connections/my_model.yaml", "type: open_ai\napi_key: k\n")
    assert project.json("connection", "show", "-n", "my_model")["type"] == "open_ai"
    project.write(".env", 'my_model={"type": "serp", "api_key": "k"}\n')
    assert project.json("connection", "show", "-n", "my_model")["origin"] == ".env"
    whole = {"my_model": json.dumps({"type": "custom", "secrets": {"a": "b"}})}
    assert project.json("connection", "show", "-n", "my_model", env=whole)["origin"] == "environment"


def on_terminal(project: Project, args: list[str], typed: str) -> tuple[int, str]:
    """Run a command on a terminal, type one line when it waits; returns the exit code and everything on the screen."""
    ours, theirs = pty.openpty()
    command = command_line([*args, "--home", project.home])
    with subprocess.Popen(
        command,
        cwd=project.root,
        env=clean_environment(),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    ) as process:
        os.close(theirs)
        screen = ""
        sent = False
        while True:
            try:
                screen += os.read(ours, 4096).decode()
            except OSError:  # the terminal is gone with its last user
                break
            if not sent and screen.rstrip().endswith(":"):
                os.write(ours, f"{typed}\n".encode())
                sent = True
        process.wait(timeout=PATIENCE_S)
    os.close(ours)
    return process.returncode, screen


@pytest.mark.parametrize("mark", ["", "***", "<user-input>"])
def test_a_terminal_asks_without_echo(project: Project, mark: str):
    project.write("connection.yaml", AZURE.replace("{key}", mark))
    code, screen = on_terminal(project, ["connection", "create", "-f", "connection.yaml"], KEY)
    assert code == 0, screen
    assert "api_key of my_model" in screen
    assert KEY not in screen
    assert used(project)["api_key"] == KEY[::-1]


def test_update_asks_on_a_terminal(project: Project):
    create(project, AZURE)
    args = ["connection", "update", "-n", "my_model", "--set", "api_key=<user-input>"]
    code, screen = on_terminal(project, args, OTHER_KEY)
    assert code == 0, screen
    assert OTHER_KEY not in screen
    assert used(project)["api_key"] == OTHER_KEY[::-1]


def test_delete_asks_on_a_terminal(project: Project):
    create(project, AZURE)
    code, screen = on_terminal(project, ["connection", "delete", "-n", "my_model"], "n")
    assert code != 0, screen
    assert len(project.json("connection", "list")) == 1


def test_the_store_is_found_by_flowyard_home(project: Project):
    create(project, AZURE)
    done = flowyard("connection", "list", "--json", cwd=project.root, env={"FLOWYARD_HOME": str(project.home)})
    assert [each["name"] for each in json.loads(done.stdout)] == ["my_model"]


STRONG_TOOL = """\
from promptflow.connections import CustomStrongTypeConnection
from promptflow.contracts.types import Secret
from promptflow.core import tool


class MyConnection(CustomStrongTypeConnection):
    token: Secret
    place: str = "nowhere"
    size: str = "big"


@tool
def work(x: str, conn: MyConnection):
    return {"type": type(conn).__name__, "token": conn.token[::-1], "place": conn.place, "size": conn.size}
"""


def test_a_node_takes_its_own_connection_class(project: Project):
    create(project, CUSTOM)
    flow = project.flow("flow", one_node_flow({"x": "string"}, connection="my_tool"), work_py=STRONG_TOOL)
    done = project.json("flow", "test", "--flow", flow, "--inputs", "x=1")["out"]
    assert done == {"type": "MyConnection", "token": KEY[::-1], "place": "north", "size": "big"}
    create(project, AZURE)
    flow = project.flow("other", one_node_flow({"x": "string"}, connection="my_model"), work_py=STRONG_TOOL)
    said = project.run("flow", "test", "--flow", flow, "--inputs", "x=1", code=2).stderr
    assert "takes a MyConnection" in said
    assert KEY not in said

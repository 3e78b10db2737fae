"""Connections from an Azure Key Vault: names, faults, and what is said of them."""

from __future__ import annotations

import json
import pickle
import socket
from collections.abc import Iterator

import pytest
from functional_helper import Project, all_text, one_node_flow
from key_vault import TOKEN, FakeVault, running

from flowyard.config import check_key_vault
from flowyard.errors import FlowyardError, OutsideError, UserError
from flowyard.llm import KeyVaultSource

KEY = "sk-vault/Zq8vT3mLw0+B=="
TOOL = """\
from promptflow.connections import OpenAIConnection
from promptflow.core import tool


@tool
def work(x: str, conn: OpenAIConnection):
    return str(len(conn.api_key)) + conn.api_key[-4:]
"""


@pytest.fixture
def vault() -> Iterator[FakeVault]:
    with running(FakeVault({})) as started:
        yield started


def source(vault: FakeVault, token: str = TOKEN) -> KeyVaultSource:
    return KeyVaultSource(vault.address, lambda _scope: token)


def refused(vault: FakeVault, name: str = "my_model", token: str = TOKEN) -> FlowyardError:
    with pytest.raises(FlowyardError) as caught:
        source(vault, token).find(name)
    assert KEY not in str(caught.value) + (caught.value.hint or "")
    assert token not in str(caught.value) + (caught.value.hint or "")
    return caught.value


def test_one_secret_for_each_field(vault: FakeVault):
    vault.secrets |= {
        "my-model--type": "azure_open_ai",
        "my-model--api-key": KEY,
        "my-model--api-base": "https://a.example",
    }
    found = source(vault).find("my_model")
    assert found is not None
    assert (found.type, found.api_key, found.api_base) == ("azure_open_ai", KEY, "https://a.example")
    assert KEY not in repr(found)


def test_a_key_alone_is_openai(vault: FakeVault):
    vault.secrets["my-model--api-key"] = KEY
    found = source(vault).find("my_model")
    assert found is not None
    assert (found.type, found.api_key) == ("open_ai", KEY)


def test_a_connection_as_one_secret(vault: FakeVault):
    vault.secrets["search-tool"] = json.dumps({"type": "custom", "configs": {"place": "x"}, "secrets": {"token": KEY}})
    found = source(vault).find("search_tool")
    assert found is not None
    assert (found.type, found.token, found.place) == ("custom", KEY, "x")


@pytest.mark.parametrize("text", [KEY, f'"{KEY}"', "[" * 100_000, f'{{"type": "open_ai", "key_of_mine": "{KEY}"}}'])
def test_a_secret_that_is_no_connection(vault: FakeVault, text: str):
    vault.secrets["my-model"] = text
    assert isinstance(refused(vault), UserError)


def test_what_is_not_there_is_asked_for_once(vault: FakeVault):
    one = source(vault)
    assert one.find("my_model") is None
    asked = len(vault.asked)
    assert one.find("my_model") is None
    assert len(vault.asked) == asked
    assert vault.asked[0] == "/secrets/my-model?api-version=7.4"


@pytest.mark.parametrize("name", ["../keys/x", "a/b", "a?x=1", "a%2e", "", "ü", "x" * 200, "a\n", "a#b"])
def test_a_name_that_no_secret_can_have_is_not_asked_for(vault: FakeVault, name: str):
    assert source(vault).find(name) is None
    assert vault.asked == []


def test_no_right_names_the_role(vault: FakeVault):
    vault.denied = True
    error = refused(vault)
    assert isinstance(error, OutsideError)
    assert "Key Vault Secrets User" in (error.hint or "")
    assert "az role assignment create" in (error.hint or "")
    assert "ForbiddenByRbac" in error.message


def test_a_refused_login_does_not_repeat_the_token(vault: FakeVault):
    error = refused(vault, token="an-old-token-that-is-secret")
    assert isinstance(error, OutsideError)
    assert "az login" in (error.hint or "")


def test_a_disabled_secret(vault: FakeVault):
    vault.secrets["my-model"] = KEY
    vault.disabled.add("my-model")
    assert "disabled" in refused(vault).message


@pytest.mark.parametrize(
    "fault",
    [
        (404, {}, "<html>no vault here</html>"),
        (404, {}, json.dumps({"error": {"code": "ResourceNotFound"}})),
        (302, {"Location": "https://elsewhere.example/"}, ""),
        (200, {}, "not json"),
        (200, {}, json.dumps({"value": None})),
        (400, {}, json.dumps({"error": {"code": f"code with a {KEY}"}})),
    ],
)
def test_any_other_answer_is_an_error_and_never_taken_for_not_there(
    vault: FakeVault, fault: tuple[int, dict[str, str], str]
):
    vault.faults = [fault]
    assert isinstance(refused(vault), OutsideError)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_passing_fault_is_waited_out(vault: FakeVault, status: int):
    vault.secrets["my-model--api-key"] = KEY
    vault.faults = [(status, {"Retry-After": "0"}, "")] * 2
    assert source(vault).find("my_model") is not None
    vault.faults = [(status, {"Retry-After": "0"}, "")] * 3
    assert str(status) in refused(vault).message


def test_a_vault_that_is_not_there(monkeypatch: pytest.MonkeyPatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setattr("flowyard.llm.key_vault_source._LONGEST_WAIT_S", 0.0)
    with pytest.raises(OutsideError, match="does not answer"):
        KeyVaultSource(address, lambda _: TOKEN).find("my_model")


def test_a_login_that_fails(vault: FakeVault):
    def token(_scope: str) -> str:
        raise RuntimeError(f"pages of text with {KEY}")

    with pytest.raises(OutsideError) as caught:
        KeyVaultSource(vault.address, token).find("my_model")
    assert KEY not in str(caught.value)


def test_scopes_follow_the_cloud():
    asked: list[str] = []

    def token(scope: str) -> str:
        asked.append(scope)
        raise UserError("enough")

    for domain in ("vault.azure.net", "vault.azure.cn", "vault.usgovcloudapi.net"):
        with pytest.raises(UserError, match="enough"):
            KeyVaultSource(f"https://mine.{domain}", token).find("x")
    assert asked == [
        f"https://{domain}/.default" for domain in ("vault.azure.net", "vault.azure.cn", "vault.usgovcloudapi.net")
    ]


@pytest.mark.parametrize(
    "address",
    [
        "https://mine.vault.azure.net.evil.example",
        "https://evil.example",
        "http://mine.vault.azure.net",
        "https://user:secret@mine.vault.azure.net",
        "https://mine.vault.azure.net:444",
        "https://mine.vault.azure.net/secrets",
        "https://mine.vault.azure.net?x",
        "mine.vault.azure.net",
        "file:///etc/passwd",
        "https://[::1",
    ],
)
def test_a_token_goes_to_key_vaults_only(address: str):
    with pytest.raises(UserError):
        check_key_vault(address, None)


def test_a_flow_reads_from_the_vault(project: Project, vault: FakeVault):
    vault.secrets["my-model--api-key"] = KEY
    flow = project.flow("asks", one_node_flow({"x": "string"}, connection="my_model"), work_py=TOOL)
    env = {"FLOWYARD_KEY_VAULT": vault.address + "/", "FLOWYARD_KEY_VAULT_TOKEN": TOKEN}
    data = project.jsonl("data.jsonl", [{"x": "a"}])
    run = project.json("run", "create", "--flow", flow, "--data", data, env=env)
    assert project.lines(run)[0]["outputs"] == {"out": f"{len(KEY)}{KEY[-4:]}"}
    shown = project.json("connection", "show", "-n", "my_model", env=env)
    assert (shown["origin"], shown["api_key"], shown["secrets_in"]) == ("key vault 127", "******", None)
    kept = all_text(project.home)
    assert KEY not in kept
    assert TOKEN not in kept
    assert "my_model" in project.run("connection", "delete", "-n", "my_model", "-y", env=env, code=2).stderr
    nearer = project.json(
        "connection", "show", "-n", "my_model", env={**env, "MY_MODEL": '{"type": "open_ai", "api_key": "x"}'}
    )
    assert nearer["origin"] == "environment"


def test_the_configuration_names_the_vault(project: Project, vault: FakeVault):
    vault.denied = True
    project.run("config", "set", f"connection.key_vault={vault.address}")
    said = project.run("connection", "show", "-n", "my_model", env={"FLOWYARD_KEY_VAULT_TOKEN": TOKEN}, code=5).stderr
    assert "Key Vault Secrets User" in said
    assert "Key Vault" in project.run("config", "set", "connection.key_vault=https://evil.example", code=2).stderr


def test_no_token_travels(vault: FakeVault):
    vault.secrets["my-model--api-key"] = KEY
    one = KeyVaultSource(vault.address, _token)
    one.find("my_model")
    assert TOKEN.encode() not in pickle.dumps(one)


def _token(_scope: str) -> str:
    return TOKEN

"""From a prompty's configuration to a connection and a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flowyard.errors import ConnectionMissing, UserError
from flowyard.llm import Connections, EnvironmentSource, SimulateEverything
from flowyard.llm.connection import AzureOpenAIConnection, CustomConnection, OpenAIConnection, ServerlessConnection
from flowyard.llm.connection_base import TOKEN_AUTH
from flowyard.llm.model_choice import ModelChoice, choose_model
from flowyard.llm.sources import DeclaredSource

KEY = "sk-very-secret"
VARIABLES = (
    *("AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY", "OPENAI_API_VERSION", "OPENAI_API_KEY", "OPENAI_ORG_ID"),
    *("OPENAI_BASE_URL", "LATER"),
)


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def choose(configuration: dict[str, Any], connections: Connections | None = None) -> ModelChoice:
    known = connections or Connections([])
    return choose_model(configuration, known, name="a.prompty", needed_by="Prompty 'a'", where="a.prompty:4")


def env_file(**variables: str) -> Connections:
    return Connections([EnvironmentSource(variables, ".env")])


def test_a_connection_by_name_or_as_an_object() -> None:
    mine = OpenAIConnection(KEY, name="mine")
    known = Connections([DeclaredSource([mine])])
    assert choose({"connection": "mine", "model": "m"}, known) == ModelChoice(mine, "m")
    assert choose({"connection": mine, "model": "m"}) == ModelChoice(mine, "m")
    with pytest.raises(ConnectionMissing, match="Prompty 'a' needs the connection 'mien'"):
        choose({"connection": "mien", "model": "m"}, known)
    with pytest.raises(UserError, match="is custom"):
        choose({"connection": CustomConnection({"k": "v"}, name="c"), "model": "m"})


@pytest.mark.parametrize("kind", ["azure_openai", "AzureOpenAI", "azure_open_ai", "AzureOpenAIConnection"])
@pytest.mark.parametrize("field", ["azure_endpoint", "api_base"])
def test_an_azure_connection_inline(kind: str, field: str) -> None:
    fields = {"type": kind, "azure_deployment": "d", field: "https://a.example", "api_key": KEY, "api_version": "v"}
    choice = choose({**fields, "unknown": 1})
    assert choice.model == "d"
    assert choice.connection == AzureOpenAIConnection("https://a.example", KEY, api_version="v", name="a.prompty")


def test_azure_without_a_key_uses_a_token_and_leaves_the_environment_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", KEY)
    choice = choose({"type": "azure_openai", "azure_deployment": "d", "azure_endpoint": "https://a.example"})
    assert choice.connection.auth_mode == TOKEN_AUTH
    assert not choice.connection.secret_values()


def test_an_openai_connection_inline() -> None:
    choice = choose({"type": "openai", "model": "m", "api_key": KEY, "base_url": "http://a", "organization": "o"})
    assert choice == ModelChoice(OpenAIConnection(KEY, "o", "http://a", name="a.prompty"), "m")
    with pytest.raises(UserError, match="missing api_key"):
        choose({"type": "openai", "model": "m", "organization": "o"})


def test_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://a.example")
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", KEY)
    azure = choose({"type": "azure_openai", "azure_deployment": "d", "api_key": ""})
    assert azure.connection == AzureOpenAIConnection("https://a.example", KEY, name="a.prompty")
    monkeypatch.setenv("OPENAI_API_VERSION", "v")
    assert choose({"type": "azure_openai", "azure_deployment": "d"}).connection.api_version == "v"
    known = env_file(OPENAI_API_KEY=KEY, OPENAI_ORG_ID="o", OPENAI_BASE_URL="http://a")
    plain = choose({"type": "openai", "model": "m"}, known)
    assert plain.connection == OpenAIConnection(KEY, "o", "http://a", name="a.prompty")


def test_what_the_environment_lacks_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConnectionMissing) as caught:
        choose({"type": "azure_openai", "azure_deployment": "d"})
    assert "lacks AZURE_OPENAI_ENDPOINT and AZURE_OPENAI_API_KEY." in str(caught.value)
    assert caught.value.hint is not None
    assert "export AZURE_OPENAI_ENDPOINT=…" in caught.value.hint
    assert caught.value.where == "a.prompty:4"
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://a.example")
    with pytest.raises(ConnectionMissing, match=r"lacks AZURE_OPENAI_API_KEY\."):
        choose({"type": "azure_openai", "azure_deployment": "d"})


def test_a_variable_that_was_not_set_is_looked_up_again() -> None:
    configuration = {"type": "openai", "model": "m", "api_key": "${env:LATER}"}
    with pytest.raises(ConnectionMissing, match="reads the environment variable LATER, which is not set"):
        choose(configuration)
    assert choose(configuration, env_file(LATER=KEY)).connection.api_key == KEY


def test_the_model_must_be_named() -> None:
    with pytest.raises(UserError, match="which model") as caught:
        choose({"type": "openai", "api_key": KEY})
    assert caught.value.hint == "Add 'model: NAME'."
    assert choose({"connection": ServerlessConnection("k", "http://a", name="s")}).model == ""


def test_simulation_overrules_every_connection(tmp_path: Path) -> None:
    known = Connections([SimulateEverything(tmp_path / "rules.yaml")])
    for configuration in (
        {"type": "openai", "model": "m"},
        {"type": "openai", "model": "m", "api_key": "${env:LATER}"},
        {"connection": "mine", "model": "m"},
        {"connection": OpenAIConnection(KEY), "model": "m"},
    ):
        choice = choose(configuration, known)
        assert (choice.connection.type, choice.model) == ("simulated", "m")
    assert choose({"connection": "mine"}, known).model == "simulated"


def test_secrets_are_known_for_redaction_once() -> None:
    known = Connections([])
    for _ in range(3):
        choose({"type": "openai", "model": "m", "api_key": KEY}, known)
    assert known.secrets() == [KEY]

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from flowyard.errors import ConnectionMissing, UserError
from flowyard.llm.connection import (
    AzureContentSafetyConnection,
    AzureOpenAIConnection,
    CustomConnection,
    CustomStrongTypeConnection,
    OpenAIConnection,
    SimulatedConnection,
)
from flowyard.llm.connection_parsing import CONNECTION_TYPES, connection_class, parse_connection
from flowyard.llm.connections import Connections
from flowyard.llm.providers import open_provider
from flowyard.llm.sources import DeclaredSource, EnvFileSource, EnvironmentSource, SimulateEverything, YamlSource

NEED = "Node 'ask' (flow.dag.yaml:3)"


def test_fields_are_read_in_every_way_and_secrets_stay_hidden() -> None:
    conn = AzureOpenAIConnection(api_key="s3cret-key", api_base="https://x", name="aoai")
    assert (conn.api_key, conn["api_base"], conn.api_version) == ("s3cret-key", "https://x", "2024-02-01")
    assert dict(conn)["api_key"] == "s3cret-key"
    assert conn.configs["api_type"] == "azure"
    assert conn.is_model
    assert "s3cret" not in repr(conn) + str(conn) + f"{conn}"
    assert "******" in repr(conn)
    assert conn.secret_values() == ["s3cret-key"]
    for twin in (pickle.loads(pickle.dumps(conn)), copy.deepcopy(conn)):
        assert twin == conn
    conn.api_key = "other"
    assert conn.secrets == {"api_key": "other"}
    with pytest.raises(AttributeError, match="has no field 'nope'"):
        _ = conn.nope


def test_custom_keys_are_attributes() -> None:
    class Mine(CustomStrongTypeConnection):
        pass

    conn = CustomConnection({"token": "t0p"}, {"url": "u", "promptflow.connection.module": "m"}, name="c")
    assert (conn.token, conn.url, conn.is_secret("token"), conn.is_secret("url")) == ("t0p", "u", True, False)
    assert "t0p" not in repr(conn)
    strong = conn.to_strong_type(Mine)
    assert (type(strong), strong.token, strong.configs) == (Mine, "t0p", conn.configs)


def test_a_declared_field_has_the_stored_value_before_its_default() -> None:
    class Mine(CustomStrongTypeConnection):
        token: str
        url: str = "default url"
        region: str = "default region"

    conn = CustomConnection({"token": "t0p"}, {"url": "u"}, name="c").to_strong_type(Mine)
    assert (conn.token, conn.url, conn.region) == ("t0p", "u", "default region")
    for twin in (copy.copy(conn), copy.deepcopy(conn)):
        assert (twin.url, twin.region) == ("u", "default region")


@pytest.mark.parametrize("kind", sorted(CONNECTION_TYPES))
def test_every_spelling_of_every_type(kind: str) -> None:
    wanted = CONNECTION_TYPES[kind]
    name = wanted.__name__
    for spelling in (kind, kind.upper(), kind.replace("_", ""), name, name.removesuffix("Connection"), name.lower()):
        assert connection_class(spelling) is wanted


@pytest.mark.parametrize(
    ("mapping", "kind"),
    [
        ({"api_type": "azure", "api_base": "b", "api_key": "k"}, "azure_open_ai"),
        ({"type": "azure", "azure_endpoint": "b", "api_key": "k"}, "azure_open_ai"),
        ({"api_base": "b", "api_version": "v", "api_key": "k"}, "azure_open_ai"),
        ({"api_base": "https://x.openai.azure.com", "api_key": "k"}, "azure_open_ai"),
        ({"api_base": "b", "auth_mode": "meid_token", "type": "azure_openai"}, "azure_open_ai"),
        ({"configs": {"a": 1}}, "custom"),
        ({"api_key": "k"}, "open_ai"),
        ({"base_url": "http://localhost:1"}, "open_ai"),
        ({"type": "SerpConnection", "value": {"api_key": "k"}}, "serp"),
    ],
)
def test_kind_is_guessed(mapping: dict[str, object], kind: str) -> None:
    assert parse_connection("c", mapping, "here").type == kind


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"type": "azure_open_ia"}, "unknown type 'azure_open_ia'"),
        ({"type": "open_ai"}, "missing api_key"),
        ({"type": "open_ai", "api_key": "<your-key>"}, "missing api_key"),
        ({"type": "azure_open_ai", "api_key": "******"}, "missing api_base, api_key"),
        ({"type": "open_ai", "api_key": "k", "organisation": "o"}, "unknown field 'organisation' .Did you mean 'org"),
        ({"type": "open_ai", "api_key": {"a": 1}}, "api_key must be a single value"),
        ({"type": "simulated", "rules": "r", "seed": "x"}, "seed must be a whole number"),
        ({"type": "custom"}, "missing secrets"),
        ({"type": "custom", "secrets": {"k": "<user-input>"}}, "missing secrets.k"),
    ],
)
def test_parse_names_what_is_wrong(mapping: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        parse_connection("c", mapping, "here.yaml:1")
    assert caught.value.where == "here.yaml:1"
    assert caught.value.hint


def test_provider_table_refuses_what_is_no_model() -> None:
    with pytest.raises(UserError, match="is not a connection to a language model"):
        open_provider(AzureContentSafetyConnection("k", "e", name="safe"))
    with pytest.raises(UserError, match="missing api_key"):
        open_provider(OpenAIConnection(name="o"))


def test_importing_llm_leaves_aiohttp_alone() -> None:
    code = "import sys, flowyard.llm; sys.exit('aiohttp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("variable", ["my-conn", "my_conn", "MY_CONN", "MY-CONN"])
def test_a_json_variable(variable: str) -> None:
    source = EnvironmentSource({variable: '{"api_key": "k", "api_base": "https://b", "api_type": "azure"}'})
    found = source.find("my-conn")
    assert isinstance(found, AzureOpenAIConnection)
    assert list(source.names()) == [variable]


def test_a_broken_json_variable_is_not_shown() -> None:
    with pytest.raises(UserError, match="variable AOAI is not a JSON object") as caught:
        EnvironmentSource({"AOAI": '{"api_key": "s3cret'}).find("aoai")
    assert "s3cret" not in str(caught.value) + str(caught.value.hint)


def test_fields_alone_make_a_connection() -> None:
    connections = Connections([EnvironmentSource({"OPEN_AI_API_KEY": "k", "OPEN_AI_ORGANIZATION": "o", "HOME": "/"})])
    found = connections.get("open ai", needed_by=NEED)
    assert (found.type, found.api_key, found.organization) == ("open_ai", "k", "o")
    typed = EnvironmentSource({"S_TYPE": "azure_ai_services", "S_API_KEY": "k", "S_ENDPOINT": "e"}).find("s")
    assert typed is not None
    assert typed.endpoint == "e"


def test_env_file(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text('sim={"type": "simulated", "rules": "rules.yaml", "seed": 3}\nB_API_KEY="k"\n')
    connections = Connections([EnvFileSource(path)])
    sim = connections.get("sim", needed_by=NEED)
    assert (sim.rules, sim.seed) == (str(tmp_path / "rules.yaml"), 3)
    assert connections.get("b", needed_by=NEED).api_key == "k"
    assert connections.names() == ["sim"]


def _yaml(folder: Path, text: str) -> Path:
    path = folder / "conn.yaml"
    path.write_text(text)
    return path


AZURE = """$schema: https://example.org/s.json
name: aoai
type: azure_open_ai
api_key: ${env:THE_KEY}
api_base: https://b
api_version: 2024-05-01
"""


def test_yaml_reads_the_environment(tmp_path: Path) -> None:
    path = _yaml(tmp_path, AZURE)
    found = YamlSource([path], {"THE_KEY": "k"}).find("aoai")
    assert found is not None
    assert (found.api_key, found.api_version) == ("k", "2024-05-01")
    with pytest.raises(UserError, match="THE_KEY is not set") as caught:
        YamlSource([path], {}).find("aoai")
    assert caught.value.where == "conn.yaml:4"


def test_environment_fields_overlay_what_is_declared(tmp_path: Path) -> None:
    path = _yaml(tmp_path, AZURE)
    environment = EnvironmentSource({"AOAI_API_KEY": "mine"})
    found = Connections([environment, YamlSource([path], {})]).get("aoai", needed_by=NEED)
    assert (found.type, found.api_key, found.api_base) == ("azure_open_ai", "mine", "https://b")
    custom = CustomConnection({"token": "t"}, {"url": "u"}, name="c")
    own = Connections([EnvironmentSource({"C_TOKEN": "T", "C_URL": "U"}), DeclaredSource([custom])])
    changed = own.get("c", needed_by=NEED)
    assert (changed.secrets, changed.configs) == ({"token": "T"}, {"url": "U"})
    assert custom.token == "t"


@pytest.mark.parametrize("environ", [{"AOAI_API_KEY": "k"}, {"aoai": '{"api_key": "k"}'}])
def test_the_environment_replaces_a_simulated_connection(environ: dict[str, str]) -> None:
    declared = DeclaredSource([SimulatedConnection("rules.yaml", name="aoai")])
    assert Connections([EnvironmentSource({}), declared]).get("aoai", needed_by=NEED).type == "simulated"
    found = Connections([EnvironmentSource(environ), declared]).get("aoai", needed_by=NEED)
    assert (found.type, found.api_key) == ("open_ai", "k")


def test_simulate_everything_wins_when_first() -> None:
    connections = Connections([SimulateEverything(Path("r.yaml")), EnvironmentSource({"AOAI_API_KEY": "k"})])
    found = connections.get("aoai", needed_by=NEED)
    assert (found.type, found.name, found.rules) == ("simulated", "aoai", "r.yaml")
    assert connections.names() == []


def test_a_missing_connection_says_what_to_do() -> None:
    connections = Connections([EnvironmentSource({}), DeclaredSource([OpenAIConnection("k", name="my_conn")])])
    with pytest.raises(ConnectionMissing, match="needs the connection 'my-con', which is not set") as caught:
        connections.get("my-con", needed_by=NEED)
    assert str(caught.value).startswith(NEED)
    hint = caught.value.hint or ""
    for part in ("Did you mean 'my_conn'?", "export MY_CON_API_KEY=", "export MY_CON='{", "--simulate RULES.yaml"):
        assert part in hint

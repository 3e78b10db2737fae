"""``flowyard azure setup``: what the printed script does when sh runs it, with stand-ins for az and gh."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from functional_helper import Completed, flowyard_here, locked_program
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowyard.azure.setup import (
    AzureDevops,
    EnvironmentOrder,
    GitHub,
    SetupOrder,
    parse_devops,
    parse_github,
    script,
    setup_steps,
)
from flowyard.errors import UserError

PLACE = ("--subscription", "the-subscription", "--resource-group", "tests", "--workspace", "bench")
DEPLOYMENT = """\
environments:
  dev: {target: local, approval: not_required}
  prod:
    target: azure-ml
    connections: [aoai]
    options: {instance_type: Standard_DS3_v2}
"""
TOOL = """\
#!/bin/sh
{ printf '%s\\0' "${0##*/}" "$@"; printf '\\001\\0'; } >> "$RECORD"
case "$*" in
  *federated-credential\\ show*|ad\\ sp\\ show*none*|api\\ repos/*) exit "${ABSENT:-1}" ;;
  *endpoint\\ list*|*variable-group\\ list*) [ "${ABSENT:-1}" = 1 ] || echo an-id ;;
  *keyvault\\ secret\\ show*) printf '%s\\n' "$VAULT_ANSWER" ;;
  *credential\\ reset*) echo the-password ;;
  *) echo an-id ;;
esac
while [ $# -gt 1 ]; do
  case "$1" in --file|--service-endpoint-configuration) cat "$2" >> "$FILES"; printf '\\001' >> "$FILES" ;; esac
  shift
done
[ -t 0 ] || cat >> "$GIVEN"
"""


@dataclass
class Ran:
    """What running a script came to: the commands with their words, the files they read, and their input."""

    code: int
    errors: str
    commands: list[list[str]]
    files: list[str] = field(default_factory=list)
    given: str = ""

    def words_after(self, option: str) -> set[str]:
        return {each[at + 1] for each in self.commands for at, word in enumerate(each[:-1]) if word == option}

    def beginning(self, *words: str) -> list[list[str]]:
        return [each for each in self.commands if each[: len(words)] == list(words)]


class Shell:
    """A folder with ``az`` and ``gh`` that write down what they are asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("az", "gh"):
            tool = folder / "bin" / name
            tool.parent.mkdir(exist_ok=True)
            tool.write_text(TOOL)
            tool.chmod(0o755)
        (folder / "here").mkdir()

    def run(self, text: str, **variables: str) -> Ran:
        places = {name: self.folder / name for name in ("RECORD", "FILES", "GIVEN")}
        for each in places.values():
            each.write_bytes(b"")
        environ = {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "TMPDIR": str(self.folder),
            **{name: str(place) for name, place in places.items()},
            **variables,
        }
        done = subprocess.run(
            ["sh", "-c", text], env=environ, cwd=self.folder / "here", stdin=subprocess.DEVNULL, capture_output=True,
            check=False,
        )  # fmt: skip
        recorded = places["RECORD"].read_bytes().decode().split("\0\1\0")[:-1]
        files = places["FILES"].read_text().split("\1")[:-1]
        commands = [each.split("\0") for each in recorded]
        return Ran(done.returncode, done.stderr.decode(), commands, files, places["GIVEN"].read_text())


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def setup(folder: Path, *words: str) -> Completed:
    return flowyard_here("azure", "setup", *words, cwd=folder, env={"FLOWYARD_HOME": str(folder / "home")})


def order(ci: GitHub | AzureDevops | None = None, **more: Any) -> SetupOrder:
    fields: dict[str, Any] = {
        "project": "triage",
        "subscription": "the-subscription",
        "resource_group": "tests",
        "workspace": "bench",
        "environments": (EnvironmentOrder("prod", connections=("aoai",)),),
        "ci": ci,
    }
    return SetupOrder(**{**fields, **more})


WEB = EnvironmentOrder("web", "azure-webapp", ("aoai",), group="web group", registry="images", vault="keys")
ORDERS = {
    "github": order(GitHub("me", "flows", ("main", "release/1"))),
    "azure_devops": order(AzureDevops("me", "My Project")),
    "secret": order(),
    "vault": order(key_vault="keys"),
    "web": order(GitHub("me", "flows"), environments=(WEB, EnvironmentOrder("pro'd"))),
    "identity": order(environments=(EnvironmentOrder("prod", identity="/subscriptions/s/x/flow"),)),
    "hard names": order(subscription='it\'s $(id) `id` \\ "x"', environments=(EnvironmentOrder("a $b 'c'"),)),
}


@pytest.mark.parametrize("name", ORDERS)
def test_shellcheck_finds_nothing(name: str, tmp_path: Path):
    file = tmp_path / "setup.sh"
    file.write_text(script(setup_steps(ORDERS[name])))
    done = subprocess.run([locked_program("shellcheck"), file], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("name", ORDERS)
def test_each_script_runs_to_its_end(name: str, shell: Shell):
    ran = shell.run(script(setup_steps(ORDERS[name])), AOAI_API_BASE="https://x", AOAI_API_KEY="k", VAULT_ANSWER='"k"')
    assert (ran.code, ran.errors) == (0, "")


def test_jobs_of_github_are_trusted_by_environment_and_by_branch(shell: Shell):
    ran = shell.run(script(setup_steps(ORDERS["github"])), AOAI_API_BASE="https://x", AOAI_API_KEY="k")
    trusted = [json.loads(each) for each in sorted(ran.words_after("--parameters"))]
    assert {each["subject"] for each in trusted} == {
        "repo:me/flows:environment:prod",
        "repo:me/flows:ref:refs/heads/main",
        "repo:me/flows:ref:refs/heads/release/1",
    }
    assert {each["issuer"] for each in trusted} == {"https://token.actions.githubusercontent.com"}
    assert {tuple(each["audiences"]) for each in trusted} == {("api://AzureADTokenExchange",)}
    secrets = [each[3] for each in ran.beginning("gh", "secret", "set")]
    assert secrets == ["AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_SUBSCRIPTION_ID"]
    assert not ran.beginning("az", "ad", "app", "credential")


def test_an_environment_with_a_hard_name_is_the_same_everywhere(shell: Shell):
    name = "it's $(id) & `x`"
    ordered = order(GitHub("me", "flows"), environments=(EnvironmentOrder(name),))
    ran = shell.run(script(setup_steps(ordered)))
    (trusted,) = (json.loads(each) for each in ran.words_after("--parameters"))
    assert trusted["subject"] == f"repo:me/flows:environment:{name}"
    assert ran.words_after("--env") == {name}
    assert (
        ran.beginning("gh", "api", "--method")[0][4]
        == "repos/me/flows/environments/it%27s%20%24%28id%29%20%26%20%60x%60"
    )


def test_roles_are_given_on_single_resources_only(shell: Shell):
    ran = shell.run(script(setup_steps(ORDERS["github"])), AOAI_API_BASE="https://x", AOAI_API_KEY="k")
    assert ran.words_after("--role") == {
        *("AzureML Data Scientist", "AcrPush", "Storage Blob Data Contributor", "Managed Identity Operator"),
        *("Azure Machine Learning Workspace Connection Secrets Reader", "AcrPull", "Storage Blob Data Reader"),
    }
    assert ran.words_after("--scope") == {"an-id"}


def test_a_service_connection_is_made_and_what_azure_devops_says_of_it_is_trusted(shell: Shell):
    ran = shell.run(script(setup_steps(ORDERS["azure_devops"])), AOAI_API_BASE="https://x", AOAI_API_KEY="k")
    body = json.loads(ran.files[0])
    assert body["authorization"] == {
        "scheme": "WorkloadIdentityFederation",
        "parameters": {"tenantid": "an-id", "serviceprincipalid": "an-id"},
    }
    assert body["serviceEndpointProjectReferences"][0]["projectReference"] == {"id": "an-id", "name": "My Project"}
    (trusted,) = (json.loads(each) for each in ran.words_after("--parameters"))
    assert (trusted["issuer"], trusted["subject"]) == ("an-id", "an-id")
    (group,) = ran.beginning("az", "pipelines", "variable-group", "create")
    assert "AZURE_SERVICE_CONNECTION=flowyard-triage-prod" in group
    assert ran.words_after("--organization") == {"https://dev.azure.com/me"}
    assert ran.words_after("--project") == {"My Project"}


@pytest.mark.parametrize("name", ["github", "azure_devops"])
def test_what_is_there_already_is_not_made_again(shell: Shell, name: str):
    variables = {"AOAI_API_BASE": "https://x", "AOAI_API_KEY": "k", "ABSENT": "0"}
    ran = shell.run(script(setup_steps(ORDERS[name])), **variables)
    made = [each for each in ran.commands if "create" in each]
    assert ran.code == 0
    assert not [each for each in made if {"federated-credential", "service-endpoint", "variable-group"} & set(each)]


KEY = "k\"e\\y'$(x)"


@pytest.mark.parametrize("vault", [None, "keys"])
def test_a_connections_key_goes_through_a_file_that_is_gone_afterwards(shell: Shell, vault: str | None):
    text = script(setup_steps(order(key_vault=vault)))
    given = {"VAULT_ANSWER": json.dumps(KEY)} if vault else {"AOAI_API_KEY": KEY}
    ran = shell.run(text, AOAI_API_BASE="https://x.openai.azure.com/", **given)
    assert ran.code == 0
    assert yaml.safe_load(ran.files[-1]) == {
        "name": "aoai",
        "type": "azure_open_ai",
        "azure_endpoint": "https://x.openai.azure.com/",
        "api_key": KEY,
    }
    assert not any(KEY in word for each in ran.commands for word in each)
    assert ran.words_after("--vault-name") == ({"keys"} if vault else set())
    left = [each.name for each in shell.folder.iterdir() if each.is_file()]
    assert sorted(left) == ["FILES", "GIVEN", "RECORD"]


def test_without_a_connections_key_nothing_is_made_of_it(shell: Shell):
    ran = shell.run(script(setup_steps(ORDERS["github"])), AOAI_API_BASE="https://x")
    assert ran.code != 0
    assert "AOAI_API_KEY" in ran.errors
    assert not ran.beginning("az", "ml", "connection")


def test_a_secret_of_an_application_is_written_where_only_its_owner_reads(shell: Shell):
    ran = shell.run(script(setup_steps(ORDERS["secret"])), AOAI_API_BASE="https://x", AOAI_API_KEY="k")
    (file,) = (shell.folder / "here").iterdir()
    assert file.read_text() == "the-password\n"
    assert file.stat().st_mode & 0o077 == 0
    assert not any("the-password" in word for each in ran.commands for word in each)


LETTERS = "ab 'ü\"$(){}`\\;&|<>*?#!~%=:,-@[]é😀"
NAMES = st.text(st.sampled_from(LETTERS), min_size=1, max_size=12).filter(
    lambda name: name[0] not in "-@" and "=@" not in name
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    subscription=NAMES, group=NAMES, workspace=NAMES, environment=NAMES, connection=NAMES, project=NAMES, vault=NAMES
)
def test_no_name_is_anything_but_a_name(
    subscription: str, group: str, workspace: str, environment: str, connection: str, project: str, vault: str
):
    ordered = order(
        AzureDevops("me", project),
        subscription=subscription,
        resource_group=group,
        workspace=workspace,
        environments=(EnvironmentOrder(environment, connections=(connection,)),),
        key_vault=vault,
    )
    prefix = _variable(connection)
    with tempfile.TemporaryDirectory() as folder:
        shell = Shell(Path(folder))
        ran = shell.run(script(setup_steps(ordered)), **{f"{prefix}_API_BASE": "https://x", "VAULT_ANSWER": '"k"'})
        assert (ran.code, ran.errors, list((shell.folder / "here").iterdir())) == (0, "", [])
    assert ran.words_after("--subscription") == {subscription}
    assert ran.words_after("--resource-group") == {group}
    assert ran.words_after("--workspace-name") == {workspace}
    assert ran.words_after("--project") == {project}
    assert ran.words_after("--vault-name") == {vault}
    assert {each[0] for each in ran.commands} == {"az"}
    body = json.loads(ran.files[0])
    assert body["data"]["subscriptionId"] == subscription
    assert body["serviceEndpointProjectReferences"][0]["projectReference"]["name"] == project
    assert yaml.safe_load(ran.files[-1])["name"] == connection


def _variable(connection: str) -> str:
    name = "".join(each if each.isascii() and (each.isalnum() or each == "_") else "_" for each in connection).upper()
    return name if not name[0].isdigit() else f"_{name}"


@given(st.text(max_size=20), st.sampled_from(["\n", "\t", "\x00", "\x1b", "\u2028", "\ue000"]), st.text(max_size=20))
def test_a_name_with_what_is_no_letter_is_refused(before: str, letter: str, after: str):
    with pytest.raises(UserError) as refused:
        order(resource_group=before + letter + after)
    assert refused.value.message.isprintable()


@pytest.mark.parametrize(
    "fields",
    [
        {"subscription": ""},
        {"resource_group": "-g"},
        {"workspace": "@file"},
        {"resource_group": "a=@file"},
        {"subscription": "a\nb"},
        {"key_vault": "x" * 300},
        {"environments": (EnvironmentOrder("a\x1bb"),)},
        {"environments": (EnvironmentOrder("a", connections=("-x",)),)},
        {"environments": (EnvironmentOrder("a", "azure-webapp"),)},
        {"ci": GitHub("me", "flows", ("a b",))},
        {"ci": GitHub("me", "flows"), "environments": (EnvironmentOrder("a:b"),)},
    ],
)
def test_names_that_could_be_something_else_are_refused(fields: dict[str, Any]):
    with pytest.raises(UserError):
        order(**fields)


@pytest.mark.parametrize("text", ["", "me", "me/", "/x", "me/x/y", "-me/x", "me/..", "me/x y", "me/x;id", "me/$(id)"])
def test_what_is_no_repository_is_refused(text: str):
    with pytest.raises(UserError):
        parse_github(text)


@pytest.mark.parametrize("text", ["", "me", "me/", "/x", "me/x/y", "-me/x", "m e/x", "me;id/x"])
def test_what_is_no_project_is_refused(text: str):
    with pytest.raises(UserError):
        parse_devops(text)


class TestCommand:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Iterator[Path]:
        (tmp_path / "deployment.yaml").write_text(DEPLOYMENT)
        return tmp_path

    def run(self, folder: Path, *words: str) -> Completed:
        return setup(folder, ".", "--print", "--github", "me/flows", *words)

    def test_the_environments_are_those_of_the_use_case_in_azure(self, folder: Path):
        done = self.run(folder, *PLACE)
        assert done.returncode == 0, done.stderr
        assert "repo:me/flows:environment:prod" in done.stdout
        assert "environment:dev" not in done.stdout
        assert "# the connection aoai" in done.stdout
        assert subprocess.run(["sh", "-n"], input=done.stdout, text=True, check=False).returncode == 0

    def test_as_json(self, folder: Path):
        printed = json.loads(self.run(folder, *PLACE, "--json").stdout)
        assert printed["script"].startswith("#!/bin/sh\n")
        assert {"title", "why", "commands"} == set(printed["steps"][0])

    def test_without_a_use_case_the_environments_are_named(self, tmp_path: Path):
        done = setup(tmp_path, "--print", "--azure-devops", "me/flows", "--env", "dev", "--env", "prod", *PLACE)
        assert done.returncode == 0, done.stderr
        assert "flowyard-flows-dev" in done.stdout
        assert "flowyard-flows-prod" in done.stdout

    @pytest.mark.parametrize(
        ("words", "text"),
        [
            ((".", *PLACE), "only printed"),
            ((".", "--print"), "Nobody says which subscription"),
            (("--print", *PLACE), "--env"),
            ((".", "--print", *PLACE, "--github", "a/b", "--azure-devops", "a/b"), "exclude each other"),
            ((".", "--print", *PLACE, "--branch", "main"), "--branch goes with --github"),
        ],
    )
    def test_what_is_missing_is_told(self, folder: Path, words: Sequence[str], text: str):
        if words[0] != ".":
            (folder / "deployment.yaml").unlink()
        done = setup(folder, *words)
        assert done.returncode == 2
        assert text in done.stderr
        assert done.stdout == ""

"""Which login is taken, what is said when there is none, and how jobs get their identity tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from azure_account import Issuer, running_issuer

from flowyard.azure import AzureDenied, open_tokens
from flowyard.azure.assertions import devops_assertion, github_assertion
from flowyard.azure.login import LoginSearch
from flowyard.azure.login_ways import LOGIN_WAYS, LoginWay, NotHere
from flowyard.errors import UserError

SCOPE = "https://management.azure.com/.default"


class Login:
    def __init__(self, answer: str | Exception) -> None:
        self.answer = answer

    def get_token(self, scope: str) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return SimpleNamespace(token=self.answer, expires_on=9e9)


def way(name: str, answer: str | Exception, needs: tuple[str, ...] = (), *, on_a_desk: bool = False) -> LoginWay:
    def make(environ: Mapping[str, str]) -> Login:
        if isinstance(answer, NotHere):
            raise answer
        return Login(answer)

    return LoginWay(name, name, make, f"do {name}", needs, needs[-1:], on_a_desk)


class TestWhichWay:
    def test_one_that_is_set_up_is_taken_before_what_a_machine_has(self):
        ways = [way("secret", "one", ("ID", "SECRET")), way("machine", "two")]
        search = LoginSearch({"ID": "x", "SECRET": "y"}, ways)
        assert (search.get_token(SCOPE).token, search.way) == ("one", ways[0])
        search = LoginSearch({"ID": "x"}, ways)
        assert (search.get_token(SCOPE).token, search.way) == ("two", ways[1])
        assert search.get_token(SCOPE).token == "two"

    def test_one_that_is_set_up_and_fails_is_not_replaced_by_another(self):
        search = LoginSearch(
            {"SECRET": "y"}, [way("secret", ValueError("AADSTS7000222: ended"), ("SECRET",)), way("machine", "two")]
        )
        with pytest.raises(AzureDenied, match="The secret gave no login: AADSTS7000222: ended") as denied:
            search.get_token(SCOPE)
        assert denied.value.hint == "do secret"

    def test_without_any_each_says_why(self):
        ways = [
            way("secret", "x", ("ID", "SECRET")),
            way("file", "x", ("ID", "FILE")),
            way("machine", NotHere("not in Azure")),
            way("cli", RuntimeError("Please run\n'az login'")),
        ]
        with pytest.raises(AzureDenied) as denied:
            LoginSearch({"SECRET": "s"}, ways).get_token(SCOPE)
        assert denied.value.message.splitlines() == [
            "There is no login for Azure.",
            "  secret: half set up, ID missing",
            "  file: not set up (ID, FILE)",
            "  machine: not in Azure",
            "  cli: Please run 'az login'",
        ]
        assert "az login" in denied.value.hint

    def test_no_value_of_a_secret_is_shown_whatever_the_reason_says(self):
        environ = {"AZURE_CLIENT_SECRET": "hunter2", "SYSTEM_ACCESSTOKEN": "hunter2-and-more"}
        text = "refused hunter2 and hunter2-and-more and eyJhbGciOiJub25l.abc.def"
        with pytest.raises(AzureDenied) as denied:
            LoginSearch(environ, [way("x", ValueError(text), ("SYSTEM_ACCESSTOKEN",))]).get_token(SCOPE)
        assert denied.value.message == "The x gave no login: refused ****** and ****** and ******"
        assert denied.value.__cause__ is None

    def test_the_choice_of_ways_is_azure_identitys(self):
        ways = [way("prod", "one"), way("desk", "two", on_a_desk=True)]
        assert LoginSearch({"AZURE_TOKEN_CREDENTIALS": "dev"}, ways).get_token(SCOPE).token == "two"
        assert LoginSearch({"AZURE_TOKEN_CREDENTIALS": "PROD"}, ways).get_token(SCOPE).token == "one"
        assert LoginSearch({"AZURE_TOKEN_CREDENTIALS": "desk"}, ways).get_token(SCOPE).token == "two"
        with pytest.raises(UserError) as wrong:
            LoginSearch({"AZURE_TOKEN_CREDENTIALS": "typo"}, ways).get_token(SCOPE)
        assert "dev" in wrong.value.hint

    async def test_the_way_is_told(self):
        assert open_tokens({"FLOWYARD_AZURE_TOKEN": "x"}).way == "the token in FLOWYARD_AZURE_TOKEN"
        assert open_tokens({}).way == ""

    def test_each_way_has_what_its_errors_need(self):
        assert len({each.name for each in LOGIN_WAYS}) == len(LOGIN_WAYS)
        for each in LOGIN_WAYS:
            assert each.advice
            assert set(each.signs) <= set(each.needs)
            assert bool(each.needs) == bool(each.signs)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Issuer]:
    with running_issuer(tmp_path_factory.mktemp("issuer")) as issuer:
        yield issuer


@pytest.fixture
def issuer(running: Issuer) -> Issuer:
    running.seen.clear()
    running.fail.clear()
    running.location = ""
    return running


def environ_of(issuer: Issuer, **more: str) -> dict[str, str]:
    given = {"AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": "the-connection", "REQUESTS_CA_BUNDLE": str(issuer.ca_file)}
    return {**issuer.github, **issuer.devops, **given, **more}


@pytest.mark.parametrize("assertion", [github_assertion, devops_assertion])
class TestAssertions:
    def test_a_job_gets_its_identity_token_through_faults(self, issuer: Issuer, assertion: Any):
        issuer.fail = [503, 500]
        slept: list[float] = []
        assert assertion(environ_of(issuer), slept.append) == "the-proof"
        assert slept == [1.0, 2.0]

    def test_a_refusal_is_told_without_the_jobs_token(self, issuer: Issuer, assertion: Any):
        issuer.fail = [403]
        with pytest.raises(AzureDenied, match="gave no identity token: it answered 403") as denied:
            assertion(environ_of(issuer), None)
        assert "the-token-of-the-job" not in repr(denied.value)
        assert len(issuer.seen) == 1

    def test_the_jobs_token_follows_no_redirect(self, issuer: Issuer, assertion: Any):
        issuer.fail, issuer.location = [302], f"{issuer.plain_address}/elsewhere"
        with pytest.raises(AzureDenied, match="answered 302"):
            assertion(environ_of(issuer), None)
        assert [path for _, path, _, _ in issuer.seen] == [issuer.seen[0][1]]

    def test_an_answer_without_a_token_is_told(self, issuer: Issuer, assertion: Any):
        wrong = {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{issuer.address}/github/token",
            "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": "other",
        }
        with pytest.raises(AzureDenied, match="has no identity token"):
            assertion(environ_of(issuer, **wrong), None)

    def test_the_jobs_token_is_sent_over_tls_only(self, issuer: Issuer, assertion: Any):
        plain = {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{issuer.plain_address}/github/token",
            "SYSTEM_OIDCREQUESTURI": f"{issuer.plain_address}/devops/oidctoken",
        }
        with pytest.raises(AzureDenied, match="not https"):
            assertion(environ_of(issuer, **plain), None)
        assert not issuer.seen

    def test_nobody_who_answers_is_told(self, tmp_path: Path, issuer: Issuer, assertion: Any):
        nowhere = {
            "ACTIONS_ID_TOKEN_REQUEST_URL": "https://localhost:1/github/token",
            "SYSTEM_OIDCREQUESTURI": "https://localhost:1/devops/oidctoken",
        }
        with pytest.raises(AzureDenied, match="gave no identity token: "):
            assertion(environ_of(issuer, **nowhere), lambda _: None)

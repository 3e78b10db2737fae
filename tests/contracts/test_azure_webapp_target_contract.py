"""The contract over slots of a web app, against a stand-in of App Service whose web apps really answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from azure_ml import Fault
from azure_web import GROUP, SUBSCRIPTION, FakeWeb, running_web
from hypothesis import given, settings
from hypothesis import strategies as st
from target_contract import Clients, TargetContract, post

from flowyard.abc import Target
from flowyard.azure import AzureDenied, AzureError
from flowyard.azure.patience import Patience
from flowyard.deploy.model import Image, Traffic, WantedDeployment
from flowyard.deploy.options.azure_webapp import AzureWebappOptions
from flowyard.deploy.targets.azure_webapp.target import AzureWebappTarget
from flowyard.errors import Conflict, OutsideError, UserError

OPTIONS = {"subscription": SUBSCRIPTION, "resource_group": GROUP, "plan": "machines", "sku": "S1"}
QUICK = Patience(attempts=4, first_s=0.001, longest_s=0.01, poll_s=0.05, longest_poll_s=0.1)
KEY = "the-key-of-the-tests"


@pytest.fixture
def azure(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeWeb]:
    with running_web(tmp_path_factory.mktemp("azure")) as running:
        monkeypatch.setenv("SSL_CERT_FILE", str(running.ca_file))  # for those who ask the web app
        yield running


def image_of(azure: FakeWeb, wanted: WantedDeployment, source: Path | str) -> WantedDeployment:
    """With an image in which ``source`` runs."""
    digest = "sha256:" + wanted.name.encode().hex().ljust(64, "0")
    azure.images[digest] = source
    return replace(wanted, image=Image(f"shop.azurecr.io/shop@{digest}", digest, wanted.version_label))


def word(azure: FakeWeb, name: str, source: str | None = None) -> WantedDeployment:
    """A deployment that answers with a word, its name if there is no other."""
    made = WantedDeployment("shop-dev", name, f"shop:{name[1:]}", name[-1] * 64)
    return image_of(azure, made, source or name)


def open_webapp(azure: FakeWeb, patience: Patience = QUICK, **options: Any) -> AzureWebappTarget:
    environ = {**azure.environ, "FLOWYARD_SERVE_KEY": KEY}
    return AzureWebappTarget(Path(), environ, AzureWebappOptions(**{**OPTIONS, **options}), patience=patience)


class TestAzureWebapp(TargetContract):
    nobody_serves = 403

    @pytest.fixture
    def target(self, azure: FakeWeb) -> Target:
        self.azure = azure
        return open_webapp(azure)

    def wanted(self, tmp_path: Path, name: str, word: str, **changes: Any) -> WantedDeployment:
        made = super().wanted(tmp_path, name, word, **changes)
        assert made.folder
        return image_of(self.azure, made, made.folder)

    def test_settings_are_strict_and_secrets_are_references(self, target: Target, tmp_path: Path):
        del target
        azure = self.azure
        address = "https://vault.vault.azure.net/secrets/model-key"
        azure.vault[address] = "secret-of-the-vault"
        webapp = open_webapp(
            azure,
            identity="puller",
            key_vault="vault",
            secrets={"GREETING": "model-key"},
            slot_settings={"production": {"MODE": "live"}, "next": {"MODE": "waits"}},
        )
        wanted = image_of(azure, super().wanted(tmp_path, "v1", "one"), "one")
        assert webapp.warnings(wanted)[0].startswith("FLOWYARD_SERVE_KEY will be a plain app setting")
        webapp.apply(wanted)
        slot = azure.sites["shop-dev"].slots["next"]
        properties, config = slot.body["properties"], slot.config
        assert slot.settings["GREETING"] == f"@Microsoft.KeyVault(SecretUri={address})"
        assert (slot.settings["WEBSITES_PORT"], slot.settings["MODE"]) == ("8080", "waits")
        assert (config["acrUseManagedIdentityCreds"], config["acrUserManagedIdentityID"]) == (True, "client-of-puller")
        assert properties["keyVaultReferenceIdentity"].endswith("/userAssignedIdentities/puller")
        assert (config["healthCheckPath"], config["alwaysOn"], properties["httpsOnly"]) == ("/health", True, True)
        assert (config["minTlsVersion"], config["ftpsState"]) == ("1.2", "Disabled")
        assert slot.logs["httpLogs"]["fileSystem"]["enabled"] is True
        with webapp.reach("shop-dev", "v1") as alone:
            assert "secret-of-the-vault" in post(alone, "x")
        webapp.set_shares("shop-dev", {"v1": 100})
        production = azure.sites["shop-dev"].slots[None]
        assert (production.settings["MODE"], production.settings["FLOWYARD_DEPLOYMENT"]) == ("live", "v1")
        assert azure.sites["shop-dev"].sticky == ["MODE"]
        assert list(azure.sites["shop-dev"].slots) == [None], "what production was before is no slot"

    def test_a_split_goes_by_rules_and_comes_to_its_percents(self, target: Target, tmp_path: Path):
        for name in ("v1", "v2", "v3"):
            target.apply(image_of(self.azure, super().wanted(tmp_path, name, ""), name))
        target.set_shares("shop-dev", {"v1": 100})
        target.set_shares("shop-dev", {"v1": 60, "v2": 30, "v3": 10})
        assert target.status("shop-dev").shares == {"v1": 60, "v2": 30, "v3": 10}
        with target.reach("shop-dev") as address:
            answers = [post(address, "x").partition(" ")[0] for _ in range(100)]
        assert [answers.count(each) for each in ("v1", "v2", "v3")] == [60, 30, 10]
        with target.reach("shop-dev", "v1") as alone:
            assert {post(alone, "x").partition(" ")[0] for _ in range(20)} == {"v1"}
        target.set_shares("shop-dev", {"v2": 90, "v3": 10})
        assert target.status("shop-dev").shares == {"v2": 90, "v3": 10}
        with pytest.raises(Conflict, match="still gets 10 %"):
            target.remove("shop-dev", "v3")
        target.set_shares("shop-dev", {})
        assert target.status("shop-dev").shares == {}
        target.remove("shop-dev", "v2")  # in production, which stays and is empty
        assert [each.name for each in target.status("shop-dev").deployments] == ["v1", "v3"]
        target.set_shares("shop-dev", {"v1": 100})
        assert target.status("shop-dev").shares == {"v1": 100}


class TestPlans:
    def test_a_sku_without_slots_is_refused(self, azure: FakeWeb):
        with pytest.raises(UserError, match="sku B1, which gives no slots") as refused:
            open_webapp(azure, sku="B1").plan(word(azure, "v1"))
        assert "S1" in str(refused.value.hint)
        with pytest.raises(UserError, match="no sku"):
            open_webapp(azure, sku=None).plan(word(azure, "v1"))
        azure.plans["machines"] = {"location": "westus", "sku": {"name": "F1"}, "properties": {"reserved": True}}
        with pytest.raises(UserError, match="sku F1"):
            open_webapp(azure).apply(word(azure, "v1"))
        assert azure.sites == {}

    def test_a_plan_only_reads(self, azure: FakeWeb):
        changes = open_webapp(azure).plan(word(azure, "v1"))
        assert [each.what for each in changes] == ["plan machines", "web app shop-dev", "deployment v1"]
        assert {each.method for each in azure.seen} == {"GET"}
        assert (azure.plans, azure.sites) == ({}, {})

    def test_others_web_apps_are_left_alone(self, azure: FakeWeb):
        target = open_webapp(azure)
        target.apply(word(azure, "v1"))
        azure.sites["shop-dev"].slots[None].body["tags"] = {}
        for do in (
            lambda: target.plan(word(azure, "v2")),
            lambda: target.apply(word(azure, "v2")),
            lambda: target.status("shop-dev"),
            lambda: target.remove("shop-dev"),
        ):
            with pytest.raises(Conflict, match="flowyard did not make"):
                do()
        assert "shop-dev" in azure.sites

    def test_a_plan_goes_with_what_it_was_made_for_and_no_other(self, azure: FakeWeb):
        azure.plans["machines"] = {"location": "westus", "sku": {"name": "P0v3"}, "properties": {"reserved": True}}
        target = open_webapp(azure, sku=None)
        target.apply(word(azure, "v1"))
        assert azure.sites["shop-dev"].slots["next"].body["location"] == "westus"
        target.remove("shop-dev")
        assert (azure.sites, list(azure.plans)) == ({}, ["machines"])
        azure.plans.clear()
        target = open_webapp(azure)
        target.apply(word(azure, "v1"))
        assert azure.plans["machines"]["location"] == "norwayeast", "the resource group's"
        target.remove("shop-dev")
        assert (azure.sites, azure.plans) == ({}, {})

    def test_what_can_never_work_is_refused_before_anything_is_made(self, azure: FakeWeb):
        wanted = word(azure, "v1")
        local = replace(wanted, image=Image("sha256:0", "sha256:0", "shop:1"))
        with pytest.raises(UserError, match="cannot pull the image"):
            open_webapp(azure).apply(local)
        keyless = AzureWebappTarget(Path(), azure.environ, AzureWebappOptions(**OPTIONS), patience=QUICK)
        with pytest.raises(UserError, match="no FLOWYARD_SERVE_KEY"):
            keyless.plan(wanted)
        with pytest.raises(UserError, match="in no vault"):
            open_webapp(azure, secrets={"MODEL_KEY": "key"}).plan(wanted)
        with pytest.raises(UserError, match="no subscription"):
            open_webapp(azure, subscription=None).plan(wanted)
        with pytest.raises(UserError, match="no resource group"):
            open_webapp(azure, resource_group=None).plan(wanted)
        with pytest.raises(UserError, match="cannot be a web app's name"):
            open_webapp(azure).plan(replace(wanted, endpoint="shop_dev"))
        assert azure.sites == {}

    def test_all_slots_taken(self, azure: FakeWeb):
        target = open_webapp(azure)
        for name in ("v1", "v2", "v3", "v4"):
            target.apply(word(azure, name))
        with pytest.raises(Conflict, match="All slots"):
            target.apply(word(azure, "v5"))
        target.remove("shop-dev", "v2")
        assert target.apply(word(azure, "v5")).state == "ready"


class TestFaults:
    def test_it_never_gets_healthy(self, azure: FakeWeb):
        target = open_webapp(azure, start_s=10, secrets={"MODEL_KEY": "https://v.vault.azure.net/secrets/gone"})
        quick = replace(QUICK, clock=iter(range(100_000)).__next__)
        impatient = open_webapp(azure, quick, start_s=10, secrets={"MODEL_KEY": "https://v.vault.azure.net/secrets/no"})
        with pytest.raises(OutsideError, match=r"not ready.*within 10 s") as failed:
            impatient.apply(word(azure, "v1", "broken"))
        assert "MODEL_KEY: its secret cannot be read (SecretNotFound)" in failed.value.message
        assert "AcrPull" in str(failed.value.hint)
        assert [each.state for each in target.status("shop-dev").deployments] == ["stopped"]

    def test_what_stopped_to_answer_long_ago_is_made_anew_and_what_serves_is_started_again(self, azure: FakeWeb):
        target = open_webapp(azure)
        target.apply(word(azure, "v1"))
        target.set_shares("shop-dev", {"v1": 100})
        target.apply(word(azure, "v2"))
        for slot in azure.sites["shop-dev"].slots.values():
            slot.settings["FLOWYARD_DEPLOYMENT_MADE_AT"] = "2026-01-01T00:00:00+00:00"
            assert slot.app
            slot.app.source = "broken"
        state = target.status("shop-dev")
        assert [(each.state, each.traffic) for each in state.deployments] == [("failed", 100), ("failed", 0)]
        made = len(azure.seen)
        assert target.apply(word(azure, "v2")).state == "ready"
        assert [each.method for each in azure.seen[made:] if each.path.endswith("/slots/next")][:1] == ["DELETE"]
        assert target.apply(word(azure, "v1")).state == "ready"
        assert target.status("shop-dev").shares == {"v1": 100}

    def test_an_image_that_cannot_be_pulled(self, azure: FakeWeb):
        target, wanted = open_webapp(azure), word(azure, "v1")
        azure.images.clear()
        with pytest.raises(OutsideError, match="Image pull failed"):
            target.apply(wanted)
        assert target.apply(word(azure, "v1")).state == "ready"

    @pytest.mark.parametrize(
        "fault",
        [
            Fault("PUT", "/serverfarms/machines$", "reset_after"),
            Fault("PUT", "/sites/shop-dev$", status=409, message="another operation is in progress", times=3),
            Fault("PUT", "/slots/next$", status=429, headers={"Retry-After": "0"}, times=2),
            Fault("PUT", "/slots/next$", "truncated"),
            Fault("GET", "/operationresults/", status=500, times=2),
            Fault("POST", "/appsettings/list$", "cut"),
            Fault("POST", "/slotsswap$", "reset"),
            Fault("POST", "/slotsswap$", "reset_after"),
            Fault("POST", "/slotsswap$", "truncated"),
            Fault("POST", "/slotsswap$", status=500),
            Fault("POST", "/slotsswap$", status=409, message="another operation is in progress"),
            Fault("POST", "/slotsswap$", status=429, headers={"Retry-After": "0"}),
            Fault("PATCH", "/config/web$", "reset_after"),
            Fault("POST", "/start$", "reset_after"),
        ],
        ids=lambda fault: f"{fault.method}-{fault.path.strip('$/').rpartition('/')[2]}-{fault.kind}-{fault.status}",
    )
    def test_what_passes_comes_to_the_same(self, azure: FakeWeb, fault: Fault):
        azure.swap_polls = 5
        target = open_webapp(azure)
        azure.faults.append(fault)
        target.apply(word(azure, "v1"))
        target.set_shares("shop-dev", {"v1": 100})
        target.apply(word(azure, "v2"))
        target.set_shares("shop-dev", {"v1": 90, "v2": 10})
        target.set_shares("shop-dev", {"v2": 100})
        assert fault.times == 0, "the fault did happen"
        state = target.status("shop-dev")
        assert state.shares == {"v2": 100}
        assert [(each.name, each.state) for each in state.deployments] == [("v1", "ready"), ("v2", "ready")]

    def test_a_swap_that_fails_changes_nothing_and_says_why(self, azure: FakeWeb):
        target = open_webapp(azure)
        target.apply(word(azure, "v1"))
        target.set_shares("shop-dev", {"v1": 100})
        target.apply(word(azure, "v2"))
        azure.swap_outcome = "Failed"
        with pytest.raises(AzureError, match="did not respond to http ping"):
            target.set_shares("shop-dev", {"v2": 100})
        assert target.status("shop-dev").shares == {"v1": 100}

    def test_a_swap_that_is_stuck_ends_the_waiting(self, azure: FakeWeb):
        target = open_webapp(azure)
        target.apply(word(azure, "v1"))
        azure.swap_outcome = "stuck"
        impatient = open_webapp(azure, replace(QUICK, operation_s=0.2))
        with pytest.raises(AzureError, match="is still"):
            impatient.set_shares("shop-dev", {"v1": 100})
        assert target.status("shop-dev").shares == {}

    def test_what_azure_fails_to_make_is_told_and_made_the_next_time(self, azure: FakeWeb):
        azure.put_outcome = "Failed"
        with pytest.raises(AzureError, match="409 Conflict"):
            open_webapp(azure).apply(word(azure, "v1"))
        azure.put_outcome = "stuck"
        with pytest.raises(AzureError, match="is still"):
            open_webapp(azure, replace(QUICK, operation_s=0.2)).apply(word(azure, "v1"))
        azure.put_outcome = "Succeeded"
        azure.sites["shop-dev"].operation = None  # as Azure does in the end
        assert open_webapp(azure).apply(word(azure, "v1")).state == "ready"

    def test_denied_says_the_role(self, azure: FakeWeb):
        azure.faults.append(Fault("GET", "/serverfarms/", status=403, times=9, code="AuthorizationFailed"))
        with pytest.raises(AzureDenied) as denied:
            open_webapp(azure).plan(word(azure, "v1"))
        assert '--role "Website Contributor"' in str(denied.value.hint)

    def test_no_error_and_no_change_holds_a_secret(self, azure: FakeWeb):
        target = open_webapp(azure)
        wanted = replace(word(azure, "v1"), variables={"MODEL_KEY": "secret-of-the-model"})
        azure.faults.append(Fault("PUT", "/slots/next$", status=400, times=9, message="No."))
        with pytest.raises(AzureError) as failed:
            target.apply(wanted)
        said = f"{failed.value!r} {failed.value.hint} {target.plan(wanted)} {target.warnings(wanted)} {wanted}"
        for secret in ("secret-of-the-model", KEY, azure.token):
            assert secret not in said


SHARES = st.sampled_from(
    [
        {},
        {"v1": 100},
        {"v2": 100},
        {"v3": 100},
        {"v1": 50, "v2": 50},
        {"v2": 99, "v3": 1},
        {"v1": 20, "v2": 30, "v3": 50},
    ]
)


def test_whatever_shares_follow_each_other(azure: FakeWeb):
    target = open_webapp(azure)
    for name in ("v1", "v2", "v3"):
        target.apply(word(azure, name))

    @settings(max_examples=12, derandomize=True, deadline=None, database=None)
    @given(st.lists(SHARES, min_size=1, max_size=4))
    def check(followed: list[dict[str, int]]) -> None:
        for shares in followed:
            target.set_shares("shop-dev", shares)
        state = target.status("shop-dev")
        assert state.shares == followed[-1]
        assert {each.name for each in state.deployments} == {"v1", "v2", "v3"}

    check()
    assert azure.percents_seen == {0, 100}


class Killed(BaseException):
    """The process ends here."""


class Mortal:
    """Tokens for so many requests; then whoever asks is killed, before the request is sent."""

    def __init__(self, token: str, requests: int) -> None:
        self._token, self._left = token, requests

    async def token(self, scope: str, *, fresh: bool = False) -> str:
        del scope, fresh
        self._left -= 1
        if self._left < 0:
            raise Killed
        return self._token


class TestKills:
    """F9: a deployer that is killed before each of its requests, also while Azure goes on with what it had asked for;
    what has served serves on, and the same again comes to the same."""

    def deploy(self, azure: FakeWeb, new: str, old: str, tokens: Mortal | None = None) -> None:
        """What a rollout does with a target, as far as it gets."""
        options = AzureWebappOptions(**OPTIONS)
        environ = {**azure.environ, "FLOWYARD_SERVE_KEY": KEY}
        target = AzureWebappTarget(Path(), environ, options, tokens=tokens, patience=QUICK)
        target.apply(word(azure, new))
        target.set_shares("shop-dev", {new: 30, old: 70})
        target.set_shares("shop-dev", {new: 100})
        target.remove("shop-dev", old)

    def test_at_each_request(self, azure: FakeWeb):
        azure.swap_polls = 3
        calm = open_webapp(azure)
        calm.apply(word(azure, "v0"))
        calm.set_shares("shop-dev", {"v0": 100})
        before = len(azure.seen)
        self.deploy(azure, "v1", "v0")
        requests = len(azure.seen) - before
        assert requests > 40
        with calm.reach("shop-dev") as address, Clients(address) as clients:
            for turn, number in enumerate(range(1, requests, 3), 1):
                old, new = f"v{turn}", f"v{turn + 1}"
                with pytest.raises(Killed):
                    self.deploy(azure, new, old, Mortal(azure.token, number))
                between = calm.status("shop-dev")
                assert sum(between.shares.values()) == 100
                if between.find(old):  # else it was killed after all was done
                    self.deploy(azure, new, old)
                after = calm.status("shop-dev")
                assert [(each.name, each.traffic, each.state) for each in after.deployments] == [(new, 100, "ready")]
        assert clients.failures == []
        assert azure.percents_seen == {0, 100}

    def test_the_first_deployment_at_each_request(self, azure: FakeWeb):
        for number in range(1, 40, 3):
            tokens = Mortal(azure.token, number)
            environ = {**azure.environ, "FLOWYARD_SERVE_KEY": KEY}
            mortal = AzureWebappTarget(Path(), environ, AzureWebappOptions(**OPTIONS), tokens=tokens, patience=QUICK)
            target = open_webapp(azure)
            try:
                mortal.apply(word(azure, "v1"))
                mortal.set_shares("shop-dev", {"v1": 100})
            except Killed:
                assert target.status("shop-dev").shares in ({}, {"v1": 100})
            target.apply(word(azure, "v1"))
            target.set_shares("shop-dev", {"v1": 100})
            state = target.status("shop-dev")
            assert [(each.name, each.traffic, each.state) for each in state.deployments] == [("v1", 100, "ready")]
            assert list(azure.sites["shop-dev"].slots) == [None]
            target.remove("shop-dev")
            assert (azure.sites, azure.plans) == ({}, {})
        assert azure.percents_seen == {0, 100}


def test_traffic_goes_by_rules_and_only_from_what_was_seen(azure: FakeWeb):
    webapp = open_webapp(azure)
    for name in ("v1", "v2"):
        webapp.apply(word(azure, name))
    webapp.set_shares("shop-dev", {"v1": 100})
    before = webapp.traffic("shop-dev")
    assert before == Traffic({"v1": 100}, {})
    split = Traffic({"v1": 90, "v2": 10}, {})
    webapp.set_traffic("shop-dev", split, before)
    assert webapp.traffic("shop-dev") == split
    with pytest.raises(Conflict, match="meanwhile: v1 90 %, v2 10 %"):
        webapp.set_traffic("shop-dev", Traffic({"v1": 50, "v2": 50}, {}), before)
    webapp.set_traffic("shop-dev", split, before)  # what is so already is no conflict
    with pytest.raises(UserError, match="no copies"):
        webapp.set_traffic("shop-dev", Traffic({"v1": 100}, {"v2": 5}), split)
    webapp.set_traffic("shop-dev", Traffic({"v2": 100}, {}), split)
    assert webapp.traffic("shop-dev") == Traffic({"v2": 100}, {})
    assert webapp.keeps_clients
    assert not webapp.changes_at_once

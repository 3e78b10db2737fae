"""The target ``kubernetes`` against a fake cluster that fails in all documented ways, and a deployer that is killed."""

from __future__ import annotations

import base64
import http.client
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from kubernetes_api import FakeKubernetes, Fault, running_kubernetes
from kubernetes_helper import Waits, environ_of, open_kubernetes, wanted_named

from flowyard.deploy.options.kubernetes import KubernetesOptions
from flowyard.deploy.targets.kubernetes.login import ClusterLogin
from flowyard.deploy.targets.kubernetes.target import KubernetesTarget
from flowyard.errors import Conflict, NotFound, OutsideError, UserError

ONLY_ONE = {((), True), ((("v1", 100),), True), ((("v2", 100),), True)}


class Killed(BaseException):
    """The deployer is gone at this instant."""


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeKubernetes]:
    (tmp_path / "cluster").mkdir()
    with running_kubernetes(tmp_path / "cluster") as made:
        made.pods.without_processes = True
        yield made


def serve_one(target: KubernetesTarget) -> None:
    target.apply(wanted_named("v1"))
    target.set_shares("shop-dev", {"v1": 100})


def deploy_two(target: KubernetesTarget) -> None:
    """What a rollout does to a target."""
    target.apply(wanted_named("v2"))
    target.set_shares("shop-dev", {"v2": 100})
    target.remove("shop-dev", "v1")


def killed_at(target: KubernetesTarget, number: int, *, sent: bool) -> None:
    """Kill whoever uses the target at its write of that number: before it is sent, or before its answer is read."""
    login, left = target.client.login, [number]
    request = login.pool.request

    def until(method: str, url: str, **fields: Any) -> Any:
        if method != "GET":
            left[0] -= 1
            if left[0] < 0:
                if sent:
                    request(method, url, **fields).drain_conn()
                raise Killed
        return request(method, url, **fields)

    login.pool.request = until


def facts(fake: FakeKubernetes) -> dict[tuple[str, str], Any]:
    """All objects, without what counts how often they were changed and without the drawn key."""
    return {
        key: (
            stored.body.get("spec"),
            stored.body["metadata"].get("labels"),
            stored.body["metadata"].get("annotations"),
        )
        for key, stored in fake.objects.found.items()
    }


def saved(fake: FakeKubernetes) -> tuple[Any, Any]:
    """All that is in the cluster, to come back to."""
    return deepcopy((fake.objects.found, fake.pods.found))


def restore(fake: FakeKubernetes, before: tuple[Any, Any]) -> None:
    """Have the cluster as it was, and nobody have looked since."""
    with fake.lock:
        fake.objects.found, fake.pods.found = deepcopy(before)
        fake.shares_seen.clear()


def begun(fake: FakeKubernetes) -> set[str]:
    """The deployments of which anything is in the cluster."""
    found = (stored.body["metadata"].get("labels", {}) for stored in fake.objects.found.values())
    return {labels["flowyard.deployment"] for labels in found if "flowyard.deployment" in labels}


@pytest.mark.parametrize("sent", [False, True])
def test_a_killed_deployer_is_gone_on_with(fake: FakeKubernetes, tmp_path: Path, sent: bool):
    serve_one(open_kubernetes(fake, tmp_path))
    before = saved(fake)
    deploy_two(open_kubernetes(fake, tmp_path))
    undisturbed = facts(fake)
    kills = 0
    while True:
        restore(fake, before)
        target = open_kubernetes(fake, tmp_path)
        killed_at(target, kills, sent=sent)
        try:
            deploy_two(target)
        except Killed:
            kills += 1
        else:
            break
        again = open_kubernetes(fake, tmp_path)
        assert begun(fake) <= {each.name for each in again.status("shop-dev").deployments}
        deploy_two(again)
        assert facts(fake) == undisturbed
        assert fake.shares_seen <= ONLY_ONE - {((), True)}
    assert kills == 12


FAULTS: list[Callable[[str, str], Fault]] = [
    lambda method, path: Fault(method, path, status=429, headers={"Retry-After": "7"}),
    lambda method, path: Fault(method, path, status=503, headers={"Retry-After": "7"}),
    lambda method, path: Fault(method, path, status=500, times=3),
    lambda method, path: Fault(method, path, kind="reset"),
    lambda method, path: Fault(method, path, kind="reset_after"),
    lambda method, path: Fault(method, path, kind="truncated"),
    lambda method, path: Fault(method, path, kind="cut"),
]
PLACES = [
    ("PATCH", "/services/shop-dev$", FAULTS),
    ("PATCH", "/deployments/shop-dev-v2$", FAULTS),
    ("PATCH", "/secrets/shop-dev-v2$", FAULTS[-3:]),
    ("GET", "/deployments", FAULTS[-3:]),
    ("GET", "/endpointslices", FAULTS[-1:]),
    ("DELETE", "/deployments/shop-dev-v1$", FAULTS[-3:]),
]


def test_faults_that_pass_are_waited_for(fake: FakeKubernetes, tmp_path: Path):
    waits = Waits()
    serve_one(open_kubernetes(fake, tmp_path))
    before = saved(fake)
    deploy_two(open_kubernetes(fake, tmp_path))
    undisturbed = facts(fake)
    for method, path, faults in PLACES:
        for make in faults:
            restore(fake, before)
            waits.slept.clear()
            fake.faults = [make(method, path)]
            deploy_two(open_kubernetes(fake, tmp_path, patience=waits.patience()))
            assert fake.faults[0].times == 0
            assert facts(fake) == undisturbed
            assert fake.shares_seen <= ONLY_ONE - {((), True)}
            assert (max(waits.slept) >= 7) is bool(fake.faults[0].headers)


def test_faults_that_stay_are_told(fake: FakeKubernetes, tmp_path: Path):
    target = open_kubernetes(fake, tmp_path, patience=Waits().patience())
    serve_one(target)
    for kind, said in (("reset", "cut off"), ("status", "an internal error")):
        fake.faults = [Fault("PATCH", "/deployments/", kind=kind, times=1000)]
        with pytest.raises(OutsideError, match=said):
            target.apply(wanted_named("v2"))
        assert target.status("shop-dev").shares == {"v1": 100}
        (_, two) = target.status("shop-dev").deployments
        assert (two.name, two.state, two.why) == ("v2", "stopped", "Its Deployment is not there.")
    fake.faults = [Fault("PATCH", "/deployments/", kind="truncated", times=1000)]
    with pytest.raises(OutsideError, match="is cut off"):
        target.apply(wanted_named("v2"))
    assert target.status("shop-dev").shares == {"v1": 100}
    fake.faults = []
    target.remove("shop-dev", "v2")
    assert begun(fake) == {"v1"}


def test_a_rollout_that_is_stuck(fake: FakeKubernetes, tmp_path: Path):
    two = wanted_named("v2")
    assert two.image
    fake.pods.never_ready.add(f"registry.test:5000/shop@{two.image.digest}")
    warning = {"involvedObject": {"name": "shop-dev-v2-0"}, "reason": "Unhealthy", "message": "probe failed \x1b[31m"}
    fake.events = [{**warning, "type": "Warning"}, {**warning, "involvedObject": {"name": "other"}, "message": "no"}]
    waits = Waits()
    target = open_kubernetes(fake, tmp_path, {"ready_s": 60}, patience=waits.patience())
    serve_one(target)
    with pytest.raises(OutsideError, match="not ready within 60 s") as told:
        target.apply(two)
    assert 60 <= sum(waits.slept) <= 65
    assert told.value.message.splitlines()[1:] == ["Unhealthy: probe failed \N{REPLACEMENT CHARACTER}[31m"]
    found = target.status("shop-dev").find("v2")
    assert found
    assert found.state == "creating"
    fake.pods.never_ready.clear()
    assert target.apply(two).state == "ready"


def test_an_image_that_is_not_there(fake: FakeKubernetes, tmp_path: Path):
    fake.pods.without_processes = False
    target = open_kubernetes(fake, tmp_path)
    with pytest.raises(OutsideError, match="ImagePullBackOff"):
        target.apply(wanted_named("v1"))
    found = target.status("shop-dev").find("v1")
    assert found
    assert found.state == "failed"
    fake.pods.without_processes = True
    assert target.apply(wanted_named("v1")).state == "ready"  # made anew


def test_fields_of_others_are_not_taken_unless_asked_for(fake: FakeKubernetes, tmp_path: Path):
    target = open_kubernetes(fake, tmp_path)
    serve_one(target)
    target.apply(wanted_named("v2"))
    theirs = {"flowyard.endpoint": "shop-dev", "flowyard.deployment": "v1", "team": "tea"}
    fake.objects.edit("Service", "shop-dev", ("spec", "selector"), theirs)
    with pytest.raises(OutsideError, match=r"\.spec\.selector \(conflict with .kubectl-edit.\)") as told:
        target.set_shares("shop-dev", {"v2": 100})
    assert told.value.hint
    assert "take_over" in told.value.hint
    open_kubernetes(fake, tmp_path, {"take_over": True}).set_shares("shop-dev", {"v2": 100})
    assert target.status("shop-dev").shares == {"v2": 100}
    target.set_shares("shop-dev", {"v1": 100})
    fake.faults = [Fault("PATCH", "/services/", status=409)]
    with pytest.raises(OutsideError, match="changed by somebody else"):
        target.set_shares("shop-dev", {"v2": 100})
    assert fake.shares("shop-dev") == {"v1": 100}


def test_a_route_that_the_gateway_refuses(fake: FakeKubernetes, tmp_path: Path):
    options = {"route": {"gateway": "public"}, "address": f"{fake.gateway}/shop-dev"}
    target = open_kubernetes(fake, tmp_path, options, Waits().patience())
    serve_one(target)
    target.apply(wanted_named("v2"))
    target.set_shares("shop-dev", {"v1": 80, "v2": 20})
    assert target.status("shop-dev").shares == {"v1": 80, "v2": 20}
    fake.takes_routes = False
    with pytest.raises(OutsideError, match="NotAllowedByListeners"):
        target.set_shares("shop-dev", {"v2": 100})
    fake.takes_routes = True
    target.set_shares("shop-dev", {"v2": 100})
    fake.objects.remove("Service", "shop-dev-v2")  # by somebody else
    made = fake.objects.get("HTTPRoute", "shop-dev")
    assert made
    assert [each["name"] for each in made["spec"]["rules"][0]["backendRefs"]] == ["shop-dev-v2"]
    assert target.status("shop-dev").shares == {}


def test_the_key_is_what_the_pods_have(fake: FakeKubernetes, tmp_path: Path):
    serve_one(open_kubernetes(fake, tmp_path))
    environ = {**environ_of(fake, tmp_path), "FLOWYARD_SERVE_KEY": "changed since"}
    later = KubernetesTarget(tmp_path, environ, KubernetesOptions())
    own = wanted_named("v2", variables={"FLOWYARD_SERVE_KEY": "of its own"})
    later.apply(own)
    drawn = base64.b64decode((fake.objects.get("Secret", "shop-dev-key") or {})["data"]["key"]).decode()
    keys = []
    for name in ("v1", "v2", None):
        with later.reach("shop-dev", name) as address:
            keys.append(address.headers["api-key"])
    assert keys == [drawn, "of its own", drawn]
    assert len(drawn) > 30
    given = KubernetesOptions(secrets={"FLOWYARD_SERVE_KEY": "nowhere/key"})
    without = KubernetesTarget(tmp_path, environ_of(fake, tmp_path), given)
    with pytest.raises(NotFound, match="Nobody knows the key"), without.reach("shop-dev"):
        raise AssertionError("nobody does")


def test_no_secret_is_told_or_planned(fake: FakeKubernetes, tmp_path: Path):
    target = open_kubernetes(fake, tmp_path)
    one = wanted_named("v1")
    assert [change.what for change in target.plan(one)] == ["endpoint shop-dev", "deployment v1"]
    assert fake.objects.found == {}
    fake.refuses_secrets = True
    with pytest.raises(OutsideError, match="Secret shop-dev-key") as told:
        target.apply(one)
    assert "denied" not in f"{told.value.message}{told.value.hint}"
    fake.refuses_secrets = False
    target.apply(one)
    assert target.plan(one) == []
    secret = fake.objects.get("Secret", "shop-dev-v1")
    others = {key: stored.body for key, stored in fake.objects.found.items() if key[0] != "Secret"}
    assert secret
    assert set(secret["data"]) == {"GREETING", "MODEL_KEY"}
    assert "canary" not in repr(others) + repr(fake.seen) + repr(target.client.login.__dict__)


def test_a_plan_tells_what_differs_at_the_endpoint(fake: FakeKubernetes, tmp_path: Path):
    serve_one(open_kubernetes(fake, tmp_path))
    before = facts(fake)
    options = {"ingress": {"host": "shop.example.com"}, "allow_from": ["web"]}
    changes = open_kubernetes(fake, tmp_path, options).plan(wanted_named("v1"))
    assert [change.what for change in changes] == ["NetworkPolicy shop-dev: spec.ingress", "Ingress shop-dev"]
    assert changes[0].after
    assert '"web"' in changes[0].after
    assert facts(fake) == before
    route = {"route": {"gateway": "public"}, "address": "https://shop.example.com"}
    with pytest.raises(Conflict, match="from a Service"):
        open_kubernetes(fake, tmp_path, route).apply(wanted_named("v2"))


def test_logins(fake: FakeKubernetes, tmp_path: Path):
    """A token, the token of a login program, and what cannot be used."""
    program = tmp_path / "login"
    credential = '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"%s"}}'
    program.write_text(f"#!/bin/sh\necho '{credential % fake.token}'\n")
    program.chmod(0o755)
    exec_ = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(program), "interactiveMode": "Never"}
    config = fake.write_kubeconfig(tmp_path / "by-program", {"exec": exec_})
    login = ClusterLogin({"KUBECONFIG": str(config)}, None)
    assert login.headers() == {"authorization": f"Bearer {fake.token}"}
    assert login.namespace == "flows"
    login.close()
    assert open_kubernetes(fake, tmp_path).status("shop-dev").deployments == ()
    assert ClusterLogin({"KUBECONFIG": str(config)}, "plain").namespace == "default"
    with pytest.raises(NotFound, match="no context 'prod'"):
        ClusterLogin({"KUBECONFIG": str(config)}, "prod")
    with pytest.raises(OutsideError, match="login cannot be used"):
        ClusterLogin({"KUBECONFIG": str(tmp_path / "nowhere")}, None)
    with pytest.raises(OutsideError, match="login cannot be used"):  # says that it is in a pod, and has no account
        ClusterLogin({"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}, None)
    wrong = fake.write_kubeconfig(tmp_path / "wrong", {"token": "canary-wrong"})
    environ = {"KUBECONFIG": str(wrong)}
    refused = KubernetesTarget(tmp_path, environ, KubernetesOptions())
    with pytest.raises(OutsideError, match="Unauthorized") as told:
        refused.status("shop-dev")
    assert "canary" not in f"{told.value.message}{told.value.hint}"


def test_names_and_images_that_no_cluster_takes(fake: FakeKubernetes, tmp_path: Path):
    target = open_kubernetes(fake, tmp_path)
    with pytest.raises(UserError, match="only small letters"):
        target.plan(replace(wanted_named("v1"), endpoint="Shop"))
    with pytest.raises(UserError, match="there is none of shop:1"):
        target.apply(replace(wanted_named("v1"), image=None))
    assert fake.objects.found == {}


def test_the_relay_goes_to_one_service_and_asks_who_comes(fake: FakeKubernetes, tmp_path: Path):
    target = open_kubernetes(fake, tmp_path)
    serve_one(target)
    with target.reach("shop-dev", "v1") as alone:
        assert set(alone.headers) == {"api-key", "x-flowyard-relay"}
        assert asked(alone.url, "/health", {}) == 403
        assert asked(alone.url, "/health", {"x-flowyard-relay": "wrong"}) == 403
        before = list(fake.seen)
        for path in (
            "/../secrets",
            "/%2e%2e/secrets",
            "/a/..",
            "/a%2F..%2Fb",
            "/..\\b",
            "/./../x?y",
            "http://elsewhere/",
        ):
            assert asked(alone.url, path, alone.headers) == 400, path
        assert fake.seen == before
    with pytest.raises(OSError, match="refused"):
        asked(alone.url, "/health", alone.headers)


def asked(url: str, path: str, headers: Mapping[str, str]) -> int:
    """The status for exactly this path."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
    try:
        connection.request("GET", path, headers=dict(headers))
        return connection.getresponse().status
    finally:
        connection.close()

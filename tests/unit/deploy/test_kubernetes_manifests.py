"""What is applied and exported: strictly valid in three versions of Kubernetes, hardened, and without a secret."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kubernetes_api.objects import manifest_problems
from ruamel.yaml import YAML

from flowyard.deploy.model import Image, WantedDeployment
from flowyard.deploy.options import parse_options
from flowyard.deploy.options.kubernetes import KubernetesOptions
from flowyard.deploy.targets.kubernetes.export import exported_objects, write_export
from flowyard.deploy.targets.kubernetes.manifests import key_object, route_shares, secret_object, service_shares
from flowyard.deploy.targets.kubernetes.pod import pinned_image
from flowyard.deploy.targets.kubernetes.pods import deployment_state
from flowyard.errors import Conflict, UserError

VERSIONS = ("1.31", "1.33", "1.35")
DIGEST = "sha256:" + "a" * 64
WANTED = WantedDeployment(
    "shop-dev",
    "v3-1a2b3c4d",
    "shop:3",
    "b" * 64,
    image=Image("registry.test:5000/team/shop:3", DIGEST, "shop:3"),
    variables={"GREETING": "canary-greeting", "MODEL_KEY": "canary-key"},
    instances=2,
    cpu=0.5,
    memory_mb=512,
)
EVERYTHING: dict[str, Any] = {
    "namespace": "flows",
    "ingress": {"host": "shop.example.com", "class_name": "nginx", "tls_secret": "shop-tls"},
    "scale": {"min": 2, "max": 8, "cpu": 60},
    "secrets": {"MODEL_KEY": "models/key", "FLOWYARD_SERVE_KEY": "shop-key/serve"},
    "pull_secret": "registry",
    "service_account": "shop",
    "allow_from": ["web", "ingress-nginx"],
}
ROUTE: dict[str, Any] = {
    "route": {"gateway": "public", "namespace": "gateways", "listener": "https", "hosts": ["shop.example.com"]},
    "address": "https://shop.example.com",
}


def options_of(given: dict[str, Any]) -> KubernetesOptions:
    found = parse_options("kubernetes", given)
    assert isinstance(found, KubernetesOptions)
    return found


def all_objects(wanted: WantedDeployment, options: KubernetesOptions) -> list[dict[str, Any]]:
    secret = secret_object(wanted, options)
    return [*exported_objects(wanted, options), *([secret] if secret else []), key_object(wanted.endpoint, "x")]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("given", [{}, EVERYTHING, ROUTE])
def test_every_manifest_is_strictly_valid(version: str, given: dict[str, Any]):
    found = all_objects(WANTED, options_of(given))
    assert {name: manifest_problems(each, version) for each in found for name in [each["kind"]]} == {
        each["kind"]: [] for each in found
    }
    broken = json.loads(json.dumps(found[-3]))
    broken["spec"]["unknown"] = True
    assert manifest_problems(broken, version)


names = st.from_regex(r"\A[a-z]([-a-z0-9]{0,28}[a-z0-9])?\Z")
labels = st.text(st.characters(codec="utf-8", exclude_characters=":", exclude_categories=["Cs"]), min_size=1)


@given(names, names, labels, st.integers(1, 1000), st.none() | st.floats(0.001, 64), st.none() | st.integers(1, 9999))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_deployment_is_valid(endpoint: str, name: str, flow: str, instances: int, cpu: float | None, memory: Any):
    wanted = replace(
        WANTED,
        endpoint=endpoint,
        name=name,
        version_label=f"{flow}:7",
        instances=instances,
        cpu=cpu,
        memory_mb=memory,
    )
    for options in ({}, ROUTE):
        for each in all_objects(wanted, options_of(options)):
            assert manifest_problems(each, "1.31") == []
            for value in each["metadata"].get("labels", {}).values():
                assert re.fullmatch(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?", value)
                assert len(value) <= 63
            assert len(each["metadata"]["name"]) <= 63


def test_the_pod_has_no_rights_and_time_to_end():
    objects = {each["kind"]: each for each in exported_objects(WANTED, options_of({"request_s": 90}))}
    spec = objects["Deployment"]["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 10001
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["image"] == f"registry.test:5000/team/shop@{DIGEST}"
    assert container["resources"] == {key: {"cpu": "500m", "memory": "512Mi"} for key in ("requests", "limits")}
    leaves = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    plain = {each["name"]: each.get("value") for each in container["env"]}
    assert plain["FLOWYARD_SERVE_LINE_S"] == "90"
    assert pod["terminationGracePeriodSeconds"] > leaves + float(plain["FLOWYARD_SERVE_GRACE_S"] or 0) > leaves + 90
    assert container["readinessProbe"]["httpGet"]["path"] == "/health/ready"
    assert container["livenessProbe"]["httpGet"]["path"] == "/health"


def test_secrets_come_by_reference_only():
    objects = {each["kind"]: each for each in exported_objects(WANTED, options_of(EVERYTHING))}
    (container,) = objects["Deployment"]["spec"]["template"]["spec"]["containers"]
    found = {each["name"]: each["valueFrom"]["secretKeyRef"] for each in container["env"] if "valueFrom" in each}
    assert found == {
        "FLOWYARD_SERVE_KEY": {"name": "shop-key", "key": "serve"},
        "GREETING": {"name": "shop-dev-v3-1a2b3c4d", "key": "GREETING"},
        "MODEL_KEY": {"name": "models", "key": "key"},
    }
    assert "replicas" not in objects["Deployment"]["spec"]
    assert "canary" not in json.dumps(objects)
    secret = secret_object(WANTED, options_of(EVERYTHING))
    assert secret
    assert list(secret["data"]) == ["GREETING"]


@pytest.mark.parametrize("given", [{}, EVERYTHING, ROUTE])
def test_an_export_is_complete_and_has_no_value(tmp_path: Path, given: dict[str, Any]):
    options = options_of(given)
    written = write_export(WANTED, options, tmp_path / "out")
    texts = {path.relative_to(tmp_path / "out").as_posix(): path.read_text() for path in written}
    assert "canary" not in "".join(texts.values())
    objects = exported_objects(WANTED, options)
    manifests = [YAML(typ="safe").load(text) for name, text in texts.items() if name.startswith("manifests/")]
    assert manifests == list(objects)
    kustomization = YAML(typ="safe").load(texts["kustomization.yaml"])
    assert sorted(kustomization["resources"]) == sorted(name for name in texts if name.startswith("manifests/"))
    for each in kustomization.get("secretGenerator", []):
        assert texts[f"{each['name']}.env.example"].endswith("=\n")
    assert rendered(texts) == list(objects)
    with pytest.raises(Conflict):
        write_export(WANTED, options, tmp_path / "out")


def rendered(texts: dict[str, str]) -> list[Any]:
    """The chart as Helm would render it: the only expression in it is ``toJson`` of a value."""
    values = YAML(typ="safe").load(texts["chart/values.yaml"])
    assert YAML(typ="safe").load(texts["chart/Chart.yaml"])["apiVersion"] == "v2"
    found = []
    for name, text in texts.items():
        if name.startswith("chart/templates/"):
            filled = re.sub(r"\{\{ toJson \.Values\.(\w+) \}\}", lambda each: json.dumps(values[each[1]]), text)
            assert "{{" not in filled
            found.append(YAML(typ="safe").load(filled))
    return found


def test_an_export_before_the_image_is_built_names_the_version():
    objects = {each["kind"]: each for each in exported_objects(replace(WANTED, image=None), options_of({}))}
    assert objects["Deployment"]["spec"]["template"]["spec"]["containers"][0]["image"] == "shop:3"


def test_shares_are_one_field():
    assert service_shares("shop", "v1")["spec"] == {
        "selector": {"flowyard.endpoint": "shop", "flowyard.deployment": "v1"}
    }
    assert service_shares("shop", None)["spec"]["selector"]["flowyard.deployment"] == "none"
    behind = route_shares("shop", {"v2": 20, "v1": 80})["spec"]["rules"][0]["backendRefs"]
    assert [(each["name"], each["weight"]) for each in behind] == [("shop-v1", 80), ("shop-v2", 20)]


@pytest.mark.parametrize(
    ("reference", "digest", "pinned"),
    [
        ("shop", DIGEST, f"shop@{DIGEST}"),
        ("localhost:5000/shop", DIGEST, f"localhost:5000/shop@{DIGEST}"),
        ("localhost:5000/shop:3", DIGEST, f"localhost:5000/shop@{DIGEST}"),
        (f"shop@{DIGEST}", DIGEST, f"shop@{DIGEST}"),
    ],
)
def test_images_go_by_their_digest(reference: str, digest: str, pinned: str):
    assert pinned_image(replace(WANTED, image=Image(reference, digest, "shop:3"))) == pinned


def test_an_image_without_a_digest_is_refused():
    with pytest.raises(UserError, match="no digest"):
        pinned_image(replace(WANTED, image=Image("shop:3", "3", "shop:3")))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"gateway": "public"}, "no option 'gateway'"),
        ({"route": {"gateway": "public"}}, "a 'route' needs 'address'"),
        ({**ROUTE, "ingress": {"host": "x"}}, "not both"),
        ({"scale": {"min": 3, "max": 2}}, "'min' is more than 'max'"),
        ({"namespace": "Flows"}, "small letters"),
        ({"secrets": {"KEY": "models"}}, "NAME/KEY"),
        ({"secrets": {"A-B": "models/key"}}, "name of a variable"),
        ({"address": "ftp://x"}, "https://"),
        ({"ingress": {"host": "a b"}}, "a host is written"),
    ],
)
def test_wrong_options_are_told(given: dict[str, Any], said: str):
    with pytest.raises(UserError, match=re.escape(said)):
        parse_options("kubernetes", given)


def test_states():
    made = {"metadata": {"generation": 1}, "spec": {"replicas": 2}, "status": {"readyReplicas": 1}}
    assert deployment_state(made, []) == ("ready", "1 of 2 instances are ready.")
    late = {"type": "Progressing", "reason": "ProgressDeadlineExceeded", "message": "late"}
    assert deployment_state({**made, "status": {"conditions": [late]}}, [])[0] == "failed"
    full = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}
    assert "quota" in deployment_state({**made, "status": {"conditions": [full]}}, [])[1]
    assert deployment_state({**made, "status": {}}, []) == ("creating", "")
    assert deployment_state({**made, "spec": {"replicas": 0}}, [])[0] == "stopped"
    ending = {**made, "metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}
    assert deployment_state(ending, [])[0] == "stopped"

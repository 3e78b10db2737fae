"""Options and rules of the target azure-ml: what Azure ML would refuse, or take and then not keep."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowyard.deploy.model import Image, WantedDeployment
from flowyard.deploy.options import parse_options
from flowyard.deploy.options.azure_ml import AzureMlOptions
from flowyard.deploy.targets.azure_ml.bodies import duration
from flowyard.deploy.targets.azure_ml.rules import require_room, require_shares, require_wanted
from flowyard.deploy.targets.azure_ml.state import base_address
from flowyard.deploy.targets.azure_ml.workspace import find_workspace
from flowyard.errors import NotFound, OutsideError, UserError

_DURATION = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?")


def options(**fields: Any) -> AzureMlOptions:
    parsed = parse_options("azure-ml", {"instance_type": "Standard_DS3_v2", **fields})
    assert isinstance(parsed, AzureMlOptions)
    return parsed


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"instance_type": None}, "needs instance_type"),
        ({"scale": {"max_instances": 2}}, "az monitor autoscale"),
        ({"compute": "aks", "scale": {"min_instances": 3, "max_instances": 2}}, "min_instances is more"),
        ({"compute": "aks", "public_network_access": False}, "networks of a Kubernetes endpoint"),
        ({"connection_secrets": True, "identities": ["/subscriptions/s/resourceGroups/g/providers/x"]}, "own identity"),
        ({"mirror": 80}, "less than or equal to 50"),
        ({"request_timeout_ms": 900_000}, "less than or equal to 300000"),
        ({"identities": ["reader"]}, "a resource's id"),
        ({"model": "shop:3"}, "azureml:NAME:VERSION"),
        ({"instancetype": "x"}, "no option 'instancetype'"),
        ({"data_collector": {"collections": ["a b"]}}, "model_inputs"),
    ],
)
def test_options_that_cannot_be(fields: dict[str, Any], said: str):
    with pytest.raises(UserError, match=re.escape(said)):
        options(**fields)


@given(st.integers(1, 7_200_000))
def test_durations_are_read_back(milliseconds: int):
    found = _DURATION.fullmatch(duration(milliseconds))
    assert found
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    assert round((hours * 3600 + minutes * 60 + seconds) * 1000) == milliseconds


@given(st.dictionaries(st.sampled_from(["a1", "b1", "c1"]), st.integers(-20, 120), max_size=3))
def test_shares_add_up_or_are_refused(shares: dict[str, int]):
    fits = sum(shares.values()) in (0, 100) and all(0 <= share <= 100 for share in shares.values())
    try:
        require_shares(shares, {}, {"a1", "b1", "c1"})
    except UserError:
        assert not fits
    else:
        assert fits


def test_copies_go_to_one_deployment_that_is_there():
    for mirror in ({"a1": 51}, {"a1": 0}, {"a1": 10, "b1": 10}):
        with pytest.raises(UserError):
            require_shares({"a1": 100}, mirror, {"a1", "b1"})
    with pytest.raises(NotFound):
        require_shares({"a1": 100}, {"z9": 10}, {"a1"})


def test_deployments_that_cannot_be():
    image = Image("registry.example/a@sha256:1", "sha256:1", "shop:1")
    good = {"endpoint": "shop-dev", "name": "v1-12345678", "version_label": "shop:1", "digest": "1", "image": image}
    require_wanted(WantedDeployment(**good), options())
    wrong: list[dict[str, Any]] = [
        {"endpoint": "ab"},
        {"endpoint": "1shop"},
        {"name": "v1-"},
        {"name": "v" * 33},
        {"image": None},
        {"cpu": 1.0},
        {"variables": {"PROMPTFLOW_RUN_MODE": "serving"}},
    ]
    for fields in wrong:
        with pytest.raises(UserError):
            require_wanted(WantedDeployment(**{**good, **fields}), options())
    with pytest.raises(UserError, match="20 deployments"):
        require_room({f"v{number}" for number in range(20)}, WantedDeployment(**good))


def test_the_workspace_is_found_in_this_order():
    registry = "azureml://subscriptions/s/resourceGroups/g/workspaces/w"
    template = {"SUBSCRIPTION_ID": "s2", "RESOURCE_GROUP_NAME": "g2", "WORKSPACE_NAME": "w2"}
    assert find_workspace(options(), {"FLOWYARD_REGISTRY": registry}).name == "w"
    assert find_workspace(options(), {"FLOWYARD_REGISTRY": registry, **template}).name == "w2"
    assert find_workspace(options(workspace="w4"), {**template, "AZUREML_WORKSPACE_NAME": "w3"}).name == "w4"
    with pytest.raises(UserError) as missing:
        find_workspace(options(), {"FLOWYARD_REGISTRY": "azureml://registries/shared"})
    assert "AZURE_SUBSCRIPTION_ID or SUBSCRIPTION_ID" in str(missing.value.hint)


def test_a_key_is_not_sent_in_the_open():
    managed = {"properties": {"scoringUri": "http://shop.example/score"}}
    with pytest.raises(OutsideError):
        base_address(managed)
    cluster = {"properties": {"scoringUri": "http://10.0.0.1/api/v1/endpoint/shop/score", "compute": "/computes/aks"}}
    assert base_address(cluster) == "http://10.0.0.1/api/v1/endpoint/shop"
    assert base_address({"properties": {}}) is None

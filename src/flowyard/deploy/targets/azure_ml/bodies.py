"""What Azure ML is sent: endpoints, deployments and environments as version 2024-10-01 of its API has them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from flowyard.azure import arm_path
from flowyard.deploy.model import WantedDeployment
from flowyard.deploy.options.azure_ml import AzureMlOptions, Probe
from flowyard.deploy.targets.azure_ml.workspace import Workspace

__all__ = [
    "DIGEST",
    "PORT",
    "ROUTES",
    "SECRET_STORES",
    "VERSION",
    "changed_endpoint",
    "deployment_body",
    "duration",
    "endpoint_body",
    "environment_body",
    "environment_name",
    "variables_of",
]

VERSION = "flowyard.version"
DIGEST = "flowyard.digest"
"""Properties of a deployment that say which flow version serves; properties cannot be altered afterwards."""

SECRET_STORES = "enforce_access_to_default_secret_stores"  # noqa: S105 - the name of a property
PORT = 8080
ROUTES = {"livenessRoute": "/health", "readinessRoute": "/health", "scoringRoute": "/score"}
_WRITABLE = ("authMode", "description", "properties", "compute", "publicNetworkAccess", "traffic", "mirrorTraffic")


def duration(milliseconds: int) -> str:
    """ISO 8601: ``PT1M30S`` for 90000."""
    seconds, rest = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    small = f"{seconds + rest / 1000:g}S" if seconds or rest or not (hours or minutes) else ""
    return "PT" + (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "") + small


def endpoint_body(options: AzureMlOptions, workspace: Workspace, location: str) -> dict[str, Any]:
    """A new endpoint, which has no deployments and therefore no traffic yet."""
    modes = {"key": "Key", "aml_token": "AMLToken", "aad_token": "AADToken"}
    fields: dict[str, Any] = {"authMode": modes[options.auth_mode]}
    if options.endpoint_description:
        fields["description"] = options.endpoint_description
    if options.connection_secrets:
        fields["properties"] = {SECRET_STORES: "enabled"}
    if options.is_managed:
        fields["publicNetworkAccess"] = "Enabled" if options.public_network_access else "Disabled"
    else:
        fields["compute"] = workspace.path + arm_path("computes", options.compute)
    identity: dict[str, Any] = {"type": "SystemAssigned"}
    if options.identities:
        identity = {"type": "UserAssigned", "userAssignedIdentities": {each: {} for each in options.identities}}
    return {"location": location, "identity": identity, "properties": fields}


def changed_endpoint(found: Mapping[str, Any], traffic: Mapping[str, int], mirror: Mapping[str, int]) -> dict[str, Any]:
    """The endpoint as it was read, with other shares; what only the service writes is left out."""
    fields = {key: value for key, value in found["properties"].items() if key in _WRITABLE and value is not None}
    fields |= {"traffic": dict(traffic), "mirrorTraffic": dict(mirror)}
    body: dict[str, Any] = {"location": found["location"], "properties": fields}
    if found.get("tags"):
        body["tags"] = found["tags"]
    if isinstance(found.get("identity"), dict):
        identity = {"type": found["identity"]["type"]}
        if found["identity"].get("userAssignedIdentities"):
            identity["userAssignedIdentities"] = {each: {} for each in found["identity"]["userAssignedIdentities"]}
        body["identity"] = identity
    return body


def environment_name(wanted: WantedDeployment) -> tuple[str, str]:
    """Name and version of the environment, which follow from the image: the same image is the same environment."""
    assert wanted.image is not None
    flow = wanted.version_label.partition(":")[0]
    return f"flowyard-{flow}", hashlib.sha256(wanted.image.reference.encode()).hexdigest()[:16]


def environment_body(wanted: WantedDeployment) -> dict[str, Any]:
    """The image, and the routes that it answers."""
    assert wanted.image is not None
    routes = {name: {"path": path, "port": PORT} for name, path in ROUTES.items()}
    return {"properties": {"image": wanted.image.reference, "osType": "Linux", "inferenceConfig": routes}}


def variables_of(wanted: WantedDeployment, workspace: Workspace) -> dict[str, str]:
    """The flow's variables, and those that prompt flow's deployments have."""
    where = {
        "subscription_id": workspace.subscription_id,
        "resource_group": workspace.resource_group,
        "workspace_name": workspace.name,
        "endpoint_name": wanted.endpoint,
        "deployment_name": wanted.name,
    }
    own = {
        "PROMPTFLOW_RUN_MODE": "serving",
        "PRT_CONFIG_OVERRIDE": ",".join(f"deployment.{name}={value}" for name, value in where.items()),
        "FLOWYARD_SERVE_AUTH": "gateway",
    }
    return {"FLOWYARD_HOME": "/tmp/flowyard", **wanted.variables, **own}  # noqa: S108 - in the container


def deployment_body(
    wanted: WantedDeployment, options: AzureMlOptions, workspace: Workspace, location: str, model: str | None
) -> dict[str, Any]:
    """A deployment, which gets no requests by itself. ``model`` is a model's id."""
    name, version = environment_name(wanted)
    fields: dict[str, Any] = {
        "endpointComputeType": "Managed" if options.is_managed else "Kubernetes",
        "environmentId": workspace.path + arm_path("environments", name, "versions", version),
        "environmentVariables": variables_of(wanted, workspace),
        "properties": {VERSION: wanted.version_label, DIGEST: wanted.digest},
        "requestSettings": _request_settings(options),
        "livenessProbe": _probe(options.liveness_probe),
        "readinessProbe": _probe(options.readiness_probe),
        "scaleSettings": _scale(options),
        "appInsightsEnabled": options.app_insights,
    }
    given = {"description": options.description, "instanceType": options.instance_type, "model": model}
    fields |= {key: value for key, value in given.items() if value}
    if options.is_managed:
        fields["egressPublicNetworkAccess"] = "Enabled" if options.egress_public_network_access else "Disabled"
    elif wanted.cpu or wanted.memory_mb:
        fields["containerResourceRequirements"] = _resources(wanted)
    if options.data_collector:
        fields["dataCollector"] = {
            "collections": {
                name: {"dataCollectionMode": "Enabled", "samplingRate": options.data_collector.sampling_rate}
                for name in options.data_collector.collections
            },
            "rollingRate": options.data_collector.rolling_rate.capitalize(),
        }
    return {"location": location, "sku": {"name": "Default", "capacity": wanted.instances}, "properties": fields}


def _request_settings(options: AzureMlOptions) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "requestTimeout": duration(options.request_timeout_ms),
        "maxConcurrentRequestsPerInstance": options.max_concurrent_requests_per_instance,
    }
    if options.max_queue_wait_ms is not None:
        settings["maxQueueWait"] = duration(options.max_queue_wait_ms)
    return settings


def _probe(probe: Probe) -> dict[str, Any]:
    return {
        "initialDelay": duration(probe.initial_delay_s * 1000),
        "period": duration(probe.period_s * 1000),
        "timeout": duration(probe.timeout_s * 1000),
        "successThreshold": probe.success_threshold,
        "failureThreshold": probe.failure_threshold,
    }


def _scale(options: AzureMlOptions) -> dict[str, Any]:
    if options.scale is None:
        return {"scaleType": "Default"}
    return {
        "scaleType": "TargetUtilization",
        "minInstances": options.scale.min_instances,
        "maxInstances": options.scale.max_instances,
        "pollingInterval": duration(options.scale.polling_interval_s * 1000),
        "targetUtilizationPercentage": options.scale.target_utilization_percentage,
    }


def _resources(wanted: WantedDeployment) -> dict[str, Any]:
    amounts = {
        "cpu": f"{wanted.cpu:g}" if wanted.cpu else None,
        "memory": f"{wanted.memory_mb}Mi" if wanted.memory_mb else None,
    }
    kept = {name: amount for name, amount in amounts.items() if amount}
    return {"containerResourceRequests": kept, "containerResourceLimits": kept}

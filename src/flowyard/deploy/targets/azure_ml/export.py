"""Files for people who deploy with ``az ml`` themselves; no value of a variable is in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from flowyard.deploy.model import PUBLIC_VARIABLES, WantedDeployment
from flowyard.deploy.options.azure_ml import AzureMlOptions, Probe
from flowyard.deploy.targets.azure_ml.bodies import (
    DIGEST,
    PORT,
    ROUTES,
    SECRET_STORES,
    VERSION,
    environment_name,
    variables_of,
)
from flowyard.deploy.targets.azure_ml.rules import require_wanted
from flowyard.deploy.targets.azure_ml.workspace import Workspace
from flowyard.errors import Conflict

__all__ = ["PLACEHOLDER", "write_files"]

PLACEHOLDER = "FILL-IN"
"""What stands for the value of a variable."""

_SCHEMAS = "https://azuremlschemas.azureedge.net/latest/"
_REFERENCE = "${{azureml://connections/"

_README = """\
# {endpoint}: {version}

The same as `flowyard deploy apply`, by hand. The files hold no values of the flow's variables: write them into a copy
of `deployment.yaml` that is not kept in the repository, or give them with `--set`.

```bash
az ml environment create --file environment.yaml {where}
az ml online-endpoint create --file endpoint.yaml {where}      # once
az ml online-deployment create --file deployment.yaml {where}{settings}
az ml online-endpoint invoke --name {endpoint} --deployment-name {deployment} --request-file sample-request.json {where}
az ml online-endpoint update --name {endpoint} --traffic "{deployment}=100" {where}
```

The deployment gets no requests before the last line, so that it can be tested alone. Shares add up to 0 or 100:
`--traffic "{deployment}=10 OLD=90"` splits them, and `--mirror-traffic "{deployment}=10"` copies 10 % of the requests
to it instead, 50 % at most. What went wrong is in

```bash
az ml online-deployment get-logs --name {deployment} --endpoint-name {endpoint} --lines 200 {where}
```

The identity of the endpoint needs AcrPull on the registry of the image, Storage Blob Data Reader on the workspace's
storage account, and, for connections, Azure Machine Learning Workspace Connection Secrets Reader on the workspace:

```bash
az role assignment create --assignee-object-id PRINCIPAL --assignee-principal-type ServicePrincipal \\
  --role ROLE --scope SCOPE
```

In the end: `az ml online-deployment delete --name {deployment} --endpoint-name {endpoint} {where}`.
"""


def write_files(
    wanted: WantedDeployment, options: AzureMlOptions, workspace: Workspace, folder: Path
) -> Sequence[Path]:
    """Write the three YAML files and the commands. Raises Conflict for a folder with something in it."""
    require_wanted(wanted, options)
    if folder.exists() and any(folder.iterdir()):
        raise Conflict(f"There is something in {folder}.", hint="Name a new or an empty folder.")
    folder.mkdir(parents=True, exist_ok=True)
    bodies = {
        "endpoint.yaml": endpoint_yaml(wanted, options),
        "deployment.yaml": deployment_yaml(wanted, options, workspace),
        "environment.yaml": environment_yaml(wanted),
    }
    for name, body in bodies.items():
        with (folder / name).open("w", encoding="utf-8") as file:
            YAML().dump(body, file)
    (folder / "README.md").write_text(_readme(wanted, workspace), "utf-8")
    return [folder / name for name in (*bodies, "README.md")]


def endpoint_yaml(wanted: WantedDeployment, options: AzureMlOptions) -> dict[str, Any]:
    """As ``az ml online-endpoint create`` reads it."""
    kind = "managed" if options.is_managed else "kubernetes"
    body: dict[str, Any] = {
        "$schema": f"{_SCHEMAS}{kind}OnlineEndpoint.schema.json",
        "name": wanted.endpoint,
        "auth_mode": options.auth_mode,
        "identity": {"type": "system_assigned"},
    }
    if options.endpoint_description:
        body["description"] = options.endpoint_description
    if options.identities:
        listed = [{"resource_id": each} for each in options.identities]
        body["identity"] = {"type": "user_assigned", "user_assigned_identities": listed}
    if options.connection_secrets:
        body["properties"] = {SECRET_STORES: "enabled"}
    if options.is_managed:
        body["public_network_access"] = _switch(is_on=options.public_network_access)
    else:
        body["compute"] = f"azureml:{options.compute}"
    return body


def deployment_yaml(wanted: WantedDeployment, options: AzureMlOptions, workspace: Workspace) -> dict[str, Any]:
    """As ``az ml online-deployment create`` reads it."""
    kind = "managed" if options.is_managed else "kubernetes"
    name, version = environment_name(wanted)
    body: dict[str, Any] = {
        "$schema": f"{_SCHEMAS}{kind}OnlineDeployment.schema.json",
        "name": wanted.name,
        "endpoint_name": wanted.endpoint,
        "environment": f"azureml:{name}:{version}",
        "environment_variables": _placeholders(wanted, workspace),
        "properties": {VERSION: wanted.version_label, DIGEST: wanted.digest},
        "instance_count": wanted.instances,
        "app_insights_enabled": options.app_insights,
        "request_settings": _request_settings(options),
        "liveness_probe": _probe(options.liveness_probe),
        "readiness_probe": _probe(options.readiness_probe),
        "scale_settings": _scale(options),
    }
    given = {"description": options.description, "instance_type": options.instance_type, "model": options.model}
    body |= {key: value for key, value in given.items() if value}
    if options.is_managed:
        body["egress_public_network_access"] = _switch(is_on=options.egress_public_network_access)
    else:
        body["type"] = "kubernetes"
        amounts = {
            "cpu": f"{wanted.cpu:g}" if wanted.cpu else None,
            "memory": f"{wanted.memory_mb}Mi" if wanted.memory_mb else None,
        }
        kept = {key: amount for key, amount in amounts.items() if amount}
        if kept:
            body["resources"] = {"requests": kept, "limits": dict(kept)}
    if options.data_collector:
        body["data_collector"] = {
            "collections": {name: {"enabled": "true"} for name in options.data_collector.collections},
            "sampling_rate": options.data_collector.sampling_rate,
            "rolling_rate": options.data_collector.rolling_rate,
        }
    return body


def environment_yaml(wanted: WantedDeployment) -> dict[str, Any]:
    """As ``az ml environment create`` reads it."""
    assert wanted.image is not None
    name, version = environment_name(wanted)
    names = {"livenessRoute": "liveness_route", "readinessRoute": "readiness_route", "scoringRoute": "scoring_route"}
    routes = {names[route]: {"path": path, "port": PORT} for route, path in ROUTES.items()}
    return {
        "$schema": f"{_SCHEMAS}environment.schema.json",
        "name": name,
        "version": version,
        "image": wanted.image.reference,
        "inference_config": routes,
    }


def _placeholders(wanted: WantedDeployment, workspace: Workspace) -> dict[str, str]:
    """Our own variables as they are; of the flow's, only references to connections."""

    def shown(name: str, value: str) -> str:
        is_public = name not in wanted.variables or name in PUBLIC_VARIABLES
        return value if is_public or value.startswith(_REFERENCE) else PLACEHOLDER

    return {name: shown(name, value) for name, value in variables_of(wanted, workspace).items()}


def _request_settings(options: AzureMlOptions) -> Mapping[str, int]:
    settings = {
        "request_timeout_ms": options.request_timeout_ms,
        "max_concurrent_requests_per_instance": options.max_concurrent_requests_per_instance,
    }
    return settings | ({} if options.max_queue_wait_ms is None else {"max_queue_wait_ms": options.max_queue_wait_ms})


def _probe(probe: Probe) -> Mapping[str, int]:
    return {
        "initial_delay": probe.initial_delay_s,
        "period": probe.period_s,
        "timeout": probe.timeout_s,
        "success_threshold": probe.success_threshold,
        "failure_threshold": probe.failure_threshold,
    }


def _scale(options: AzureMlOptions) -> Mapping[str, Any]:
    if options.scale is None:
        return {"type": "default"}
    return {
        "type": "target_utilization",
        "min_instances": options.scale.min_instances,
        "max_instances": options.scale.max_instances,
        "polling_interval": options.scale.polling_interval_s,
        "target_utilization_percentage": options.scale.target_utilization_percentage,
    }


def _switch(*, is_on: bool) -> str:
    return "enabled" if is_on else "disabled"


def _readme(wanted: WantedDeployment, workspace: Workspace) -> str:
    hidden = (each for each in wanted.variables.items() if each[0] not in PUBLIC_VARIABLES)
    names = [name for name, value in hidden if not value.startswith(_REFERENCE)]
    settings = "".join(f' \\\n  --set environment_variables.{name}="${name}"' for name in names)
    return _README.format(
        endpoint=wanted.endpoint,
        deployment=wanted.name,
        version=wanted.version_label,
        where=workspace.words,
        settings=settings,
    )

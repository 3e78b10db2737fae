"""What a deployment would change, for people."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from flowyard._util.redact import may_be_secret
from flowyard.deploy.model import Change, WantedDeployment
from flowyard.deploy.options.azure_ml import AzureMlOptions
from flowyard.deploy.targets.azure_ml.online import digest_of, state_of
from flowyard.deploy.targets.azure_ml.rules import require_wanted

__all__ = ["bare_secrets", "planned_changes"]

_REFERENCE = "${{azureml://connections/"


def planned_changes(
    wanted: WantedDeployment,
    options: AzureMlOptions,
    endpoint: Mapping[str, Any] | None,
    deployments: Sequence[Mapping[str, Any]],
) -> list[Change]:
    """The endpoint and the deployment, where they are not there. Raises UserError for what is not possible."""
    if wanted.image is not None:  # a plan is made before there is an image
        require_wanted(wanted, options)
    changes = []
    if endpoint is None:
        changes.append(Change(f"endpoint {wanted.endpoint}", None, _endpoint(options)))
    found = next((each for each in deployments if each["name"] == wanted.name), None)
    if found is None or state_of(found) != "succeeded" or digest_of(found) != wanted.digest:
        before = f"{wanted.version_label}, {state_of(found)}" if found else None
        changes.append(Change(f"deployment {wanted.name}", before, _deployment(wanted, options)))
    return changes


def bare_secrets(variables: Mapping[str, str]) -> list[str]:
    """Names of variables that look like secrets and are given as they are, not by a connection."""
    return sorted(name for name, value in variables.items() if may_be_secret(name) and not value.startswith(_REFERENCE))


def _endpoint(options: AzureMlOptions) -> str:
    where = "managed" if options.is_managed else f"Kubernetes ({options.compute})"
    return f"{where}, {options.auth_mode}, {'own identity' if not options.identities else 'given identities'}"


def _deployment(wanted: WantedDeployment, options: AzureMlOptions) -> str:
    said = f"{wanted.version_label} on {wanted.instances} x {options.instance_type or 'the default instance type'}"
    if options.is_managed:
        said += f" (quota for {math.ceil(wanted.instances * 1.2)})"
    if options.mirror:
        said += f", copies of {options.mirror} % of the requests"
    bare = bare_secrets(wanted.variables)
    if bare:
        said += (
            f"; {', '.join(bare)} can be read by who may read the deployment: ${{{{azureml://connections/…}}}} cannot"
        )
    return said

"""What Azure ML documents, and neither its YAML nor its package checks before something is changed."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from flowyard.deploy.model import WantedDeployment
from flowyard.deploy.options.azure_ml import AzureMlOptions
from flowyard.errors import NotFound, UserError

__all__ = ["quota_hint", "require_room", "require_shares", "require_timeout", "require_wanted"]

_NAME = re.compile(r"[a-zA-Z]([-a-zA-Z0-9]{0,30}[a-zA-Z0-9])?")
_SHORTEST_ENDPOINT = 3
_MOST_WITHOUT_FLOW_MS = 90_000
_MOST_DEPLOYMENTS = 20
_RESERVED = frozenset({"PROMPTFLOW_RUN_MODE", "PRT_CONFIG_OVERRIDE", "FLOWYARD_SERVE_AUTH"})


def require_wanted(wanted: WantedDeployment, options: AzureMlOptions) -> None:
    """Raises UserError for what the service would refuse, or silently do otherwise."""
    for name in (wanted.endpoint, wanted.name):
        if not _NAME.fullmatch(name) or len(wanted.endpoint) < _SHORTEST_ENDPOINT:
            raise UserError(
                f"{name!r} cannot be a name in Azure ML.",
                hint="3 to 32 letters, digits and '-', a letter first and no '-' at the end.",
            )
    if wanted.image is None:
        raise UserError(
            f"The target azure-ml runs images, and there is none of {wanted.version_label}.",
            hint="image: {reference: registry.example/name@sha256:…} names one that was built elsewhere.",
        )
    if options.is_managed and (wanted.cpu or wanted.memory_mb):
        raise UserError(
            "cpu and memory of a managed deployment follow from options.instance_type.", hint="Leave them out."
        )
    taken = sorted(_RESERVED & set(wanted.variables))
    if taken:
        raise UserError(f"The variable {taken[0]} is set by the deployment itself.", hint="Leave it out of 'env'.")


def require_timeout(options: AzureMlOptions, *, has_model: bool) -> None:
    """Raises UserError for a time that managed endpoints allow to prompt flow models only."""
    if options.is_managed and not has_model and options.request_timeout_ms > _MOST_WITHOUT_FLOW_MS:
        raise UserError(
            f"request_timeout_ms {options.request_timeout_ms} is allowed only with a model registered as a flow.",
            hint="Register the version in the workspace (FLOWYARD_REGISTRY=azureml://…), or stay at 90000.",
        )


def require_room(names: set[str], wanted: WantedDeployment) -> None:
    """Raises UserError when the endpoint has as many deployments as it can."""
    if wanted.name not in names and len(names) >= _MOST_DEPLOYMENTS:
        message = f"The endpoint {wanted.endpoint} has {len(names)} deployments, and no more are possible."
        raise UserError(message, hint="flowyard deploy remove USECASE --env E --deployment NAME")


def require_shares(shares: Mapping[str, int], mirror: Mapping[str, int], names: set[str]) -> None:
    """Raises UserError for shares the service may take and then not keep, NotFound for a deployment not there."""
    wrong = [name for name, share in shares.items() if not 0 <= share <= 100]
    if wrong or sum(shares.values()) not in (0, 100):
        raise UserError(f"The shares add up to {sum(shares.values())}, not to 0 or 100: {dict(shares)}.")
    if len(mirror) > 1 or any(not 0 < share <= 50 for share in mirror.values()):
        raise UserError(f"One deployment at most gets a copy of 1 to 50 percent of the requests: {dict(mirror)}.")
    unknown = [name for name in (*shares, *mirror) if name not in names]
    if unknown:
        raise NotFound(f"There is no deployment {unknown[0]}.", hint="flowyard deploy status USECASE --env E")


def quota_hint(wanted: WantedDeployment, options: AzureMlOptions) -> str:
    """How much room a managed deployment takes: a fifth more than it has, for its updates."""
    return f"quota for {math.ceil(wanted.instances * 1.2)} x {options.instance_type}: az ml compute list-usage"

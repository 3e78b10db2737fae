"""What state a deployment is in, by its objects as the cluster shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flowyard._util.printable import printable_text
from flowyard.deploy.model import DeploymentState

__all__ = ["deployment_state", "is_rolled_out", "ready_pods"]

_STUCK = frozenset(
    {
        *("CrashLoopBackOff", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"),
        *("CreateContainerConfigError", "CreateContainerError", "RunContainerError"),
    }
)
_CRASHES = 2


def is_rolled_out(deployment: Mapping[str, Any]) -> bool:
    """Whether all instances of the newest generation are there and answer."""
    status, wanted = deployment.get("status") or {}, _instances(deployment)
    return (
        int(status.get("observedGeneration", 0)) >= int(deployment["metadata"].get("generation", 0))
        and int(status.get("updatedReplicas") or 0) >= wanted
        and int(status.get("availableReplicas") or 0) >= wanted
        and int(status.get("replicas") or 0) == int(status.get("updatedReplicas") or 0)
    )


def deployment_state(
    deployment: Mapping[str, Any] | None, pods: Sequence[Mapping[str, Any]]
) -> tuple[DeploymentState, str]:
    """The state, and why it is so; ``pods`` are the deployment's own."""
    if deployment is None:
        return "stopped", "Its Deployment is not there."
    if deployment["metadata"].get("deletionTimestamp"):
        return "stopped", "It is being removed."
    status = deployment.get("status") or {}
    ready, wanted = int(status.get("readyReplicas") or 0), _instances(deployment)
    if wanted == 0:
        return "stopped", "It has no instances."
    if ready:
        return "ready", "" if ready >= wanted else f"{ready} of {wanted} instances are ready."
    problems = [found for pod in pods if (found := _stuck(pod))]
    for each in status.get("conditions") or []:
        if each.get("type") == "Progressing" and each.get("reason") == "ProgressDeadlineExceeded":
            problems.append(f"It did not get ready in time: {each.get('message', '')}")
        if each.get("type") == "ReplicaFailure" and each.get("status") == "True":
            problems.append(f"No pod can be made: {each.get('message', '')}")
    return ("failed", printable_text(problems[0])[:400]) if problems else ("creating", "")


def ready_pods(pods: Sequence[Mapping[str, Any]]) -> set[str]:
    """The names of those that answer and do not end."""
    return {
        str(pod["metadata"]["name"])
        for pod in pods
        if not pod["metadata"].get("deletionTimestamp")
        and any(
            each.get("type") == "Ready" and each.get("status") == "True"
            for each in (pod.get("status") or {}).get("conditions") or []
        )
    }


def _instances(deployment: Mapping[str, Any]) -> int:
    found = (deployment.get("spec") or {}).get("replicas")
    return 1 if found is None else int(found)


def _stuck(pod: Mapping[str, Any]) -> str | None:
    """Why a pod will not get ready by itself; None when it may."""
    for each in (pod.get("status") or {}).get("containerStatuses") or []:
        waiting = (each.get("state") or {}).get("waiting") or {}
        crashes = int(each.get("restartCount") or 0)
        if waiting.get("reason") in _STUCK:
            return f"{waiting['reason']}: {waiting.get('message') or f'it ended {crashes} times'}"
        if crashes >= _CRASHES and not each.get("ready"):
            return f"Its container ended {crashes} times."
    return None

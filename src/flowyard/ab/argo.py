"""Objects of Argo Rollouts with which a Rollout waits for the decision of a test. Nothing here talks to a cluster.

A gateway before the two Services splits the requests by unit, and ``flowyard ab decide`` sets that split; Argo makes
the pods, asks our decision API, and replaces the old pods or takes the new ones away. Fields as in Argo Rollouts 1.8.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from flowyard.ab.policy.model import AbPolicy
from flowyard.errors import UserError

__all__ = ["ArgoPlace", "argo_objects", "require_argo_name"]

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,48}[a-z0-9])?")
_ANSWER_S = 20
_API = "argoproj.io/v1alpha1"


@dataclass(frozen=True, slots=True)
class ArgoPlace:
    """``address`` is where Argo reaches ``flowyard ab serve``; its key is in the Secret ``secret``, under ``key``.

    ``workload`` is the Deployment whose pods are the flow, with the labels ``selector``; ``port`` is a pod's.
    """

    name: str
    address: str
    secret: str
    key: str
    workload: str
    selector: Mapping[str, str]
    port: int = 8080
    replicas: int = 2
    interval: timedelta = timedelta(minutes=1)


def require_argo_name(name: str) -> str:
    """The name of a test as a cluster takes it. Raises UserError for one that it does not."""
    made = name.lower().replace("_", "-")
    if not _NAME.fullmatch(made):
        raise UserError(f"{name!r} cannot be a name in Kubernetes.", hint="--name with small letters, digits and '-'")
    return made


def argo_objects(policy: AbPolicy, place: ArgoPlace) -> Sequence[dict[str, Any]]:
    """Two AnalysisTemplates, two Services and a Rollout."""
    return [
        _template(place, "decision", _decided(policy, place)),
        _template(place, "holds", _holds(policy, place)),
        _service(place, "stable"),
        _service(place, "canary"),
        _rollout(policy, place),
    ]


def _decided(policy: AbPolicy, place: ArgoPlace) -> dict[str, Any]:
    """Ends with the test. While it runs, an answer is neither; after ``max_duration`` that pauses the Rollout."""
    most = math.ceil(policy.max_duration / place.interval) + 1
    return {
        **_metric(policy, place, "decided"),
        "count": most,
        "consecutiveSuccessLimit": 1,
        "failureLimit": 0,
        "inconclusiveLimit": most,
        "consecutiveErrorLimit": most,  # who does not answer decides nothing
        "successCondition": 'result == "Successful"',
        "failureCondition": 'result == "Failed"',
    }


def _holds(policy: AbPolicy, place: ArgoPlace) -> dict[str, Any]:
    """Beside all steps: a test that needs a person pauses the Rollout at once, one that failed ends it."""
    return {
        **_metric(policy, place, "holds"),
        "failureLimit": 0,
        "inconclusiveLimit": 0,
        "consecutiveErrorLimit": math.ceil(policy.max_duration / place.interval) + 1,
        "successCondition": 'result == "Successful" || result == "Running"',
        "failureCondition": 'result == "Failed"',
    }


def _metric(policy: AbPolicy, place: ArgoPlace, name: str) -> dict[str, Any]:
    url = f"{place.address}/v1/ab/{quote(policy.experiment, safe='')}/decision"
    header = {"key": "Authorization", "value": "Bearer {{args.decision-key}}"}
    web = {"url": url, "timeoutSeconds": _ANSWER_S, "headers": [header], "jsonPath": "{$.verdict}"}
    return {"name": name, "interval": f"{int(place.interval.total_seconds())}s", "provider": {"web": web}}


def _template(place: ArgoPlace, part: str, metric: dict[str, Any]) -> dict[str, Any]:
    key = {"name": "decision-key", "valueFrom": {"secretKeyRef": {"name": place.secret, "key": place.key}}}
    return {**_head(_API, "AnalysisTemplate", f"{place.name}-{part}"), "spec": {"args": [key], "metrics": [metric]}}


def _service(place: ArgoPlace, part: str) -> dict[str, Any]:
    ports = [{"name": "http", "protocol": "TCP", "port": 80, "targetPort": place.port}]
    spec = {"type": "ClusterIP", "ports": ports, "selector": dict(place.selector)}
    return {**_head("v1", "Service", f"{place.name}-{part}"), "spec": spec}


def _rollout(policy: AbPolicy, place: ArgoPlace) -> dict[str, Any]:
    """Without traffic routing of Argo's own: a weight is a share of the pods, enough for the last step of the ramp."""
    steps = [
        {"setWeight": max((step.share for step in policy.ramp), default=50)},
        {"analysis": {"templates": [{"templateName": f"{place.name}-decision"}]}},
    ]
    canary = {
        "stableService": f"{place.name}-stable",
        "canaryService": f"{place.name}-canary",
        "maxUnavailable": 0,
        "analysis": {"templates": [{"templateName": f"{place.name}-holds"}], "startingStep": 1},
        "steps": steps,
    }
    workload = {"apiVersion": "apps/v1", "kind": "Deployment", "name": place.workload, "scaleDown": "onsuccess"}
    spec = {
        "replicas": place.replicas,
        "revisionHistoryLimit": 2,
        "selector": {"matchLabels": dict(place.selector)},
        "workloadRef": workload,
        "strategy": {"canary": canary},
    }
    return {**_head(_API, "Rollout", place.name), "spec": spec}


def _head(version: str, kind: str, name: str) -> dict[str, Any]:
    labels = {"app.kubernetes.io/managed-by": "flowyard"}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "labels": labels}}

"""The pod of a deployment: without root, rights, a writable disk or the cluster's token."""

from __future__ import annotations

import re
from typing import Any

from flowyard.deploy.model import WantedDeployment
from flowyard.deploy.options.kubernetes import KubernetesOptions
from flowyard.deploy.targets.kubernetes.names import DIGEST, VERSION, key_secret, labels, object_name
from flowyard.errors import UserError

__all__ = ["KEY_VARIABLE", "PORT", "pinned_image", "pod_template", "secret_variables"]

KEY_VARIABLE = "FLOWYARD_SERVE_KEY"
PORT = 8080
_USER = 10001
_LEAVE_S = 10
_MORE_S = 20
_TMP = "/tmp"  # noqa: S108 - in the container
_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")


def pinned_image(wanted: WantedDeployment) -> str:
    """The image by its digest, so that it never changes. Raises UserError when there is none."""
    image = wanted.image
    if image is None:
        raise UserError(f"The target kubernetes runs images, and there is none of {wanted.version_label}.")
    if "@" in image.reference:
        return image.reference
    if not _SHA256.fullmatch(image.digest):
        raise UserError(f"The image {image.reference} has no digest, so a cluster cannot find exactly it.")
    place, slash, last = image.reference.rpartition("/")
    return f"{place}{slash}{last.partition(':')[0]}@{image.digest}"


def secret_variables(wanted: WantedDeployment, options: KubernetesOptions) -> dict[str, str]:
    """The variables whose values we keep in a Secret of the deployment: all that options take from nowhere else."""
    return {name: value for name, value in wanted.variables.items() if name not in options.secrets}


def pod_template(wanted: WantedDeployment, options: KubernetesOptions, image: str) -> dict[str, Any]:
    """``spec.template`` of the Deployment."""
    spec: dict[str, Any] = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": _LEAVE_S + options.request_s + _MORE_S,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "fsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(wanted, options, image)],
        "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}}],
    }
    if options.service_account:
        spec["serviceAccountName"] = options.service_account
    if options.pull_secret:
        spec["imagePullSecrets"] = [{"name": options.pull_secret}]
    notes = {VERSION: wanted.version_label, DIGEST: wanted.digest}
    return {"metadata": {"labels": labels(wanted), "annotations": notes}, "spec": spec}


def _container(wanted: WantedDeployment, options: KubernetesOptions, image: str) -> dict[str, Any]:
    return {
        "name": "flow",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
        "env": _environment(wanted, options),
        "resources": _resources(wanted),
        "startupProbe": _probe("/health/ready", period_s=2, failures=max(1, options.ready_s // 2)),
        "readinessProbe": _probe("/health/ready", period_s=5, failures=2),
        "livenessProbe": _probe("/health", period_s=10, failures=6),
        # until every node has heard that the pod ends, requests still come
        "lifecycle": {"preStop": {"sleep": {"seconds": _LEAVE_S}}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "tmp", "mountPath": _TMP}],
    }


def _environment(wanted: WantedDeployment, options: KubernetesOptions) -> list[dict[str, Any]]:
    """Plain values for what is ours, references for all that may be secret."""
    plain = {
        "FLOWYARD_HOME": f"{_TMP}/flowyard",
        "FLOWYARD_SERVE_LINE_S": str(options.request_s),
        "FLOWYARD_SERVE_GRACE_S": str(options.request_s + _MORE_S // 2),
    }
    from_secrets = {name: (object_name(wanted.endpoint, wanted.name), name) for name in wanted.variables}
    for name, place in options.secrets.items():
        secret, _, key = place.partition("/")
        from_secrets[name] = (secret, key)
    from_secrets.setdefault(KEY_VARIABLE, (key_secret(wanted.endpoint), "key"))
    found: list[dict[str, Any]] = [
        {"name": name, "value": value} for name, value in plain.items() if name not in from_secrets
    ]
    for name, (secret, key) in sorted(from_secrets.items()):
        found.append({"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}})
    return found


def _resources(wanted: WantedDeployment) -> dict[str, Any]:
    """What is asked for, which is the limit too where deployment.yaml says how much."""
    limits: dict[str, str] = {}
    if wanted.cpu:
        limits["cpu"] = f"{max(1, round(wanted.cpu * 1000))}m"
    if wanted.memory_mb:
        limits["memory"] = f"{wanted.memory_mb}Mi"
    asked = {"cpu": "100m", "memory": "256Mi", **limits}
    return {"requests": asked, "limits": limits} if limits else {"requests": asked}


def _probe(path: str, *, period_s: int, failures: int) -> dict[str, Any]:
    place = {"path": path, "port": "http", "scheme": "HTTP"}
    return {"httpGet": place, "periodSeconds": period_s, "timeoutSeconds": 5, "failureThreshold": failures}

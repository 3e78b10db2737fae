"""The objects of a deployment and of its endpoint, as dicts; nothing here talks to a cluster."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from flowyard.deploy.model import WantedDeployment
from flowyard.deploy.options.kubernetes import KubernetesOptions
from flowyard.deploy.targets.kubernetes.names import (
    DIGEST,
    NOBODY,
    VERSION,
    key_secret,
    labels,
    object_name,
    own_labels,
    selector,
)
from flowyard.deploy.targets.kubernetes.pod import PORT, pod_template, secret_variables

__all__ = [
    "Manifest",
    "deployment_objects",
    "endpoint_objects",
    "key_object",
    "route_shares",
    "secret_object",
    "service_shares",
]

Manifest = dict[str, Any]
"""One object as the cluster's API takes it."""

_PROGRESS_S = 30


def deployment_objects(wanted: WantedDeployment, options: KubernetesOptions, image: str) -> Sequence[Manifest]:
    """What one deployment consists of besides its Secret, in the order in which it is made.

    Its Service comes first and goes last: what was begun can be seen by it. Its Deployment comes last and goes first:
    where one is, the rest is complete.
    """
    scaled = [_autoscaler(wanted, options)] if options.scale else []
    return [_service(wanted), _disruption_budget(wanted), *scaled, _deployment(wanted, options, image)]


def endpoint_objects(endpoint: str, options: KubernetesOptions) -> Sequence[Manifest]:
    """What belongs to the endpoint itself, without the shares of the requests."""
    objects = [_network_policy(endpoint, options)]
    if options.route:
        return [_route(endpoint, options), *objects]
    objects.insert(0, _endpoint_service(endpoint))
    return [*objects, _ingress(endpoint, options)] if options.ingress else objects


def secret_object(wanted: WantedDeployment, options: KubernetesOptions) -> Manifest | None:
    """The Secret with the values of the variables; None when there are none. Never written to a file."""
    values = secret_variables(wanted, options)
    if not values:
        return None
    name = object_name(wanted.endpoint, wanted.name)
    return _object("v1", "Secret", name, labels(wanted), type="Opaque", data=_encoded(values))


def key_object(endpoint: str, key: str) -> Manifest:
    """The Secret with the key that requests need."""
    return _object(
        "v1", "Secret", key_secret(endpoint), own_labels(endpoint), type="Opaque", data=_encoded({"key": key})
    )


def service_shares(endpoint: str, deployment: str | None) -> Manifest:
    """The part of the endpoint's Service that says which deployment gets all requests; None for no requests at all.

    A Service whose selector is taken away keeps its last addresses, so it selects what is not there instead.
    """
    body = _object("v1", "Service", endpoint, {})
    return {**body, "spec": {"selector": selector(endpoint, deployment or NOBODY)}}


def route_shares(
    endpoint: str, shares: Mapping[str, int], mirror: Mapping[str, int] = MappingProxyType({})
) -> Manifest:
    """The part of the endpoint's HTTPRoute that says what share of the requests each deployment gets.

    ``mirror`` has the percent of the requests that a deployment gets copies of.
    """
    behind = [
        {"group": "", "kind": "Service", "name": object_name(endpoint, name), "port": 80, "weight": share}
        for name, share in sorted(shares.items())
    ]
    match = {"path": {"type": "PathPrefix", "value": "/"}}
    rules: list[dict[str, Any]] = [{"matches": [match], "backendRefs": behind}] if behind else []
    if rules and mirror:
        rules[0]["filters"] = [_mirror_filter(endpoint, name, percent) for name, percent in sorted(mirror.items())]
    return {**_object("gateway.networking.k8s.io/v1", "HTTPRoute", endpoint, {}), "spec": {"rules": rules}}


def _mirror_filter(endpoint: str, deployment: str, percent: int) -> dict[str, Any]:
    backend = {"group": "", "kind": "Service", "name": object_name(endpoint, deployment), "port": 80}
    return {"type": "RequestMirror", "requestMirror": {"backendRef": backend, "percent": percent}}


def _object(version: str, kind: str, name: str, with_labels: Mapping[str, str], **fields: Any) -> Manifest:
    metadata: dict[str, Any] = {"name": name}
    if with_labels:
        metadata["labels"] = dict(with_labels)
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **fields}


def _of(wanted: WantedDeployment, version: str, kind: str, spec: Mapping[str, Any]) -> Manifest:
    """An object of one deployment; what it is of stands in annotations."""
    made = _object(version, kind, object_name(wanted.endpoint, wanted.name), labels(wanted))
    made["metadata"]["annotations"] = {VERSION: wanted.version_label, DIGEST: wanted.digest}
    return {**made, "spec": dict(spec)}


def _deployment(wanted: WantedDeployment, options: KubernetesOptions, image: str) -> Manifest:
    spec: dict[str, Any] = {
        "revisionHistoryLimit": 1,
        "progressDeadlineSeconds": options.ready_s + _PROGRESS_S,
        "selector": {"matchLabels": selector(wanted.endpoint, wanted.name)},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "template": pod_template(wanted, options, image),
    }
    if options.scale is None:  # else the autoscaler owns the number
        spec["replicas"] = wanted.instances
    return _of(wanted, "apps/v1", "Deployment", spec)


def _service(wanted: WantedDeployment) -> Manifest:
    """How the deployment is reached alone."""
    spec = {"type": "ClusterIP", "ports": _ports(), "selector": selector(wanted.endpoint, wanted.name)}
    return _of(wanted, "v1", "Service", spec)


def _disruption_budget(wanted: WantedDeployment) -> Manifest:
    spec = {
        "maxUnavailable": 1,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": {"matchLabels": selector(wanted.endpoint, wanted.name)},
    }
    return _of(wanted, "policy/v1", "PodDisruptionBudget", spec)


def _autoscaler(wanted: WantedDeployment, options: KubernetesOptions) -> Manifest:
    assert options.scale
    name = object_name(wanted.endpoint, wanted.name)
    target = {"type": "Utilization", "averageUtilization": options.scale.cpu}
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
        "minReplicas": options.scale.min,
        "maxReplicas": options.scale.max,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
    }
    return _of(wanted, "autoscaling/v2", "HorizontalPodAutoscaler", spec)


def _endpoint_service(endpoint: str) -> Manifest:
    made = _object("v1", "Service", endpoint, own_labels(endpoint))
    return {**made, "spec": {"type": "ClusterIP", "ports": _ports()}}


def _network_policy(endpoint: str, options: KubernetesOptions) -> Manifest:
    """Requests reach the pods at their one port only, from everywhere or from some namespaces."""
    rule: dict[str, Any] = {"ports": [{"protocol": "TCP", "port": PORT}]}
    if options.allow_from:
        name = "kubernetes.io/metadata.name"
        rule["from"] = [{"namespaceSelector": {"matchLabels": {name: each}}} for each in options.allow_from]
    spec = {"podSelector": {"matchLabels": own_labels(endpoint)}, "policyTypes": ["Ingress"], "ingress": [rule]}
    return {**_object("networking.k8s.io/v1", "NetworkPolicy", endpoint, own_labels(endpoint)), "spec": spec}


def _ingress(endpoint: str, options: KubernetesOptions) -> Manifest:
    assert options.ingress
    given = options.ingress
    backend = {"service": {"name": endpoint, "port": {"name": "http"}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    spec: dict[str, Any] = {"rules": [{"host": given.host, "http": {"paths": [path]}}]}
    if given.class_name:
        spec["ingressClassName"] = given.class_name
    if given.tls_secret:
        spec["tls"] = [{"hosts": [given.host], "secretName": given.tls_secret}]
    return {**_object("networking.k8s.io/v1", "Ingress", endpoint, own_labels(endpoint)), "spec": spec}


def _route(endpoint: str, options: KubernetesOptions) -> Manifest:
    assert options.route
    given = options.route
    parent = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": given.gateway}
    if given.namespace:
        parent["namespace"] = given.namespace
    if given.listener:
        parent["sectionName"] = given.listener
    spec: dict[str, Any] = {"parentRefs": [parent]}
    if given.hosts:
        spec["hostnames"] = list(given.hosts)
    return {**_object("gateway.networking.k8s.io/v1", "HTTPRoute", endpoint, own_labels(endpoint)), "spec": spec}


def _ports() -> list[dict[str, Any]]:
    return [{"name": "http", "protocol": "TCP", "port": 80, "targetPort": "http"}]


def _encoded(values: Mapping[str, str]) -> dict[str, str]:
    return {name: base64.b64encode(value.encode()).decode() for name, value in sorted(values.items())}

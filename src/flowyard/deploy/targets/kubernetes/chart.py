"""A Helm chart of the same objects, with what people change in ``values.yaml``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

from flowyard.deploy.model import WantedDeployment
from flowyard.deploy.options.kubernetes import KubernetesOptions
from flowyard.deploy.targets.kubernetes.manifests import Manifest

__all__ = ["chart_files"]

_MARK = re.compile(r"""['"]?<<([a-zA-Z]+)>>['"]?""")


def chart_files(
    wanted: WantedDeployment,
    options: KubernetesOptions,
    objects: Sequence[Manifest],
    as_yaml: Callable[[Mapping[str, Any]], str],
) -> dict[str, str]:
    """``Chart.yaml``, ``values.yaml`` and a template for each object, by their names in the chart."""
    values: dict[str, Any] = {}
    marked = [_marked(each, values) for each in objects]
    number = wanted.version_label.partition(":")[2]
    about = {
        "apiVersion": "v2",
        "name": wanted.endpoint,
        "description": f"{wanted.version_label} at the endpoint {wanted.endpoint}",
        "type": "application",
        "version": f"{number if number.isdigit() else 0}.0.0",
        "appVersion": number,
    }
    files = {"Chart.yaml": as_yaml(about), "values.yaml": as_yaml(values)}
    for manifest in marked:
        name = f"templates/{manifest['kind'].lower()}-{manifest['metadata']['name']}.yaml"
        files[name] = _with_values(as_yaml(_literal(manifest)))
    del options
    return files


def _marked(manifest: Manifest, values: dict[str, Any]) -> Manifest:
    """The object with marks where a value of ``values.yaml`` belongs; those values are added."""
    made = deepcopy(manifest)
    spec = made.get("spec", {})
    if made["kind"] == "Deployment":
        container = spec["template"]["spec"]["containers"][0]
        _take(container, "image", "image", values)
        _take(container, "resources", "resources", values)
        if "replicas" in spec:
            _take(spec, "replicas", "instances", values)
    if made["kind"] == "HorizontalPodAutoscaler":
        _take(spec, "minReplicas", "minInstances", values)
        _take(spec, "maxReplicas", "maxInstances", values)
    if made["kind"] == "Ingress":
        _take(spec["rules"][0], "host", "host", values)
        for each in spec.get("tls", []):
            each["hosts"] = ["<<host>>"]
    return made


def _take(fields: dict[str, Any], key: str, name: str, values: dict[str, Any]) -> None:
    values[name], fields[key] = fields[key], f"<<{name}>>"


def _literal(value: Any) -> Any:
    """The same, but what Helm would take for a template of its own is written so that it comes out as it is."""
    if isinstance(value, dict):
        return {key: _literal(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_literal(each) for each in value]
    if isinstance(value, str) and "{{" in value:
        return value.replace("{{", "{{ " + json.dumps("{{") + " }}")
    return value


def _with_values(text: str) -> str:
    """JSON is YAML, so one way of writing fits numbers, texts and maps."""
    return _MARK.sub(lambda found: "{{ toJson .Values." + found[1] + " }}", text)

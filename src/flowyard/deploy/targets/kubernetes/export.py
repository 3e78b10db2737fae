"""Files with which people deploy by kubectl, kustomize or Helm: the same objects, and no value of a variable."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from flowyard.deploy.model import PUBLIC_VARIABLES, WantedDeployment
from flowyard.deploy.options.kubernetes import KubernetesOptions
from flowyard.deploy.targets.kubernetes.chart import chart_files
from flowyard.deploy.targets.kubernetes.manifests import (
    Manifest,
    deployment_objects,
    endpoint_objects,
    route_shares,
    service_shares,
)
from flowyard.deploy.targets.kubernetes.names import key_secret, object_name
from flowyard.deploy.targets.kubernetes.pod import KEY_VARIABLE, pinned_image, secret_variables
from flowyard.errors import Conflict

__all__ = ["exported_objects", "write_export"]

_IMAGE = re.compile(r"[^-a-z0-9._:]")


def exported_objects(wanted: WantedDeployment, options: KubernetesOptions) -> Sequence[Manifest]:
    """Everything but Secrets, with all requests for this deployment: who applies files does it at one instant.

    Where no image is known yet, it is called after the version (``shop:3``), to be replaced by whoever builds it.
    """
    if options.route:
        shares = route_shares(wanted.endpoint, {wanted.name: 100})
    else:
        shares = service_shares(wanted.endpoint, wanted.name)
    image = pinned_image(wanted) if wanted.image else _IMAGE.sub("-", wanted.version_label.lower())
    objects = [*deployment_objects(wanted, options, image), *endpoint_objects(wanted.endpoint, options)]
    return [_together(each, shares) for each in objects]


def write_export(wanted: WantedDeployment, options: KubernetesOptions, folder: Path) -> Sequence[Path]:
    """Write ``manifests/``, ``kustomization.yaml``, examples of the files with secrets, and ``chart/``.

    Raises Conflict when there is something in the folder.
    """
    if folder.exists() and any(folder.iterdir()):
        raise Conflict(f"There is something in {folder}.", hint="Name a new or an empty folder.")
    objects = exported_objects(wanted, options)
    files = {f"manifests/{_file_name(each)}": as_yaml(each) for each in objects}
    secrets = _secrets(wanted, options)
    files["kustomization.yaml"] = as_yaml(_kustomization(sorted(files), secrets, options))
    public = {name: wanted.variables.get(name, "") for name in PUBLIC_VARIABLES}
    for name, keys in secrets.items():
        files[f"{name}.env.example"] = "".join(f"{key}={public.get(key, '')}\n" for key in keys)
    files |= {f"chart/{name}": text for name, text in chart_files(wanted, options, objects, as_yaml).items()}
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in files]


def as_yaml(value: Mapping[str, Any]) -> str:
    """One YAML document."""
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.width = 4096
    yaml.representer.ignore_aliases = lambda *_: True
    text = StringIO()
    yaml.dump(dict(value), text)
    return text.getvalue()


def _secrets(wanted: WantedDeployment, options: KubernetesOptions) -> dict[str, list[str]]:
    """The Secrets that have to be there, with their keys; those that options name are there already."""
    found = {}
    variables = sorted(secret_variables(wanted, options))
    if variables:
        found[object_name(wanted.endpoint, wanted.name)] = variables
    if KEY_VARIABLE not in wanted.variables and KEY_VARIABLE not in options.secrets:
        found[key_secret(wanted.endpoint)] = ["key"]
    return found


def _kustomization(
    resources: Sequence[str], secrets: Mapping[str, Sequence[str]], options: KubernetesOptions
) -> dict[str, Any]:
    made: dict[str, Any] = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
    if options.namespace:
        made["namespace"] = options.namespace
    made["resources"] = list(resources)
    if secrets:  # its files hold secrets, so a person writes them, after the examples
        made["generatorOptions"] = {"disableNameSuffixHash": True}
        made["secretGenerator"] = [{"name": name, "envs": [f"{name}.env"]} for name in secrets]
    return made


def _file_name(manifest: Manifest) -> str:
    return f"{manifest['kind'].lower()}-{manifest['metadata']['name']}.yaml"


def _together(manifest: Manifest, shares: Manifest) -> Manifest:
    """The endpoint's object with its shares; any other as it is."""
    key = ("kind", "name")
    if (manifest[key[0]], manifest["metadata"][key[1]]) != (shares[key[0]], shares["metadata"][key[1]]):
        return manifest
    return {**manifest, "spec": {**manifest["spec"], **shares["spec"]}}

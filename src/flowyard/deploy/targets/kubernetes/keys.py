"""The key that requests to an endpoint need: in a Secret of the cluster, so that whoever deploys next finds it."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping, Sequence

from flowyard.deploy.model import WantedDeployment
from flowyard.deploy.options.kubernetes import KubernetesOptions
from flowyard.deploy.targets.kubernetes.client import KubernetesClient
from flowyard.deploy.targets.kubernetes.manifests import key_object
from flowyard.deploy.targets.kubernetes.names import key_secret, object_name
from flowyard.deploy.targets.kubernetes.pod import KEY_VARIABLE
from flowyard.errors import NotFound

__all__ = ["ensure_key", "find_key"]


def ensure_key(
    client: KubernetesClient, wanted: WantedDeployment, options: KubernetesOptions, environ: Mapping[str, str]
) -> None:
    """Have a key in the cluster: the environment's, or one that is drawn. One that is there stays, as pods have it."""
    if KEY_VARIABLE in wanted.variables or KEY_VARIABLE in options.secrets:
        return
    if client.get("Secret", key_secret(wanted.endpoint)) is None:
        client.apply(key_object(wanted.endpoint, environ.get(KEY_VARIABLE) or secrets.token_urlsafe(32)))


def find_key(
    client: KubernetesClient,
    endpoint: str,
    deployments: Sequence[str],
    options: KubernetesOptions,
    environ: Mapping[str, str],
) -> str:
    """The key of these deployments, as their pods have it. Raises NotFound."""
    places = [(object_name(endpoint, name), KEY_VARIABLE) for name in deployments]
    places.append((key_secret(endpoint), "key"))
    if KEY_VARIABLE in options.secrets:
        name, _, key = options.secrets[KEY_VARIABLE].partition("/")
        places = [(name, key)]
    for name, key in places:
        value = ((client.get("Secret", name) or {}).get("data") or {}).get(key)
        if value is not None:
            return base64.b64decode(value).decode()
    if KEY_VARIABLE in environ:
        return environ[KEY_VARIABLE]
    raise NotFound(f"Nobody knows the key of {endpoint}.", hint=f"export {KEY_VARIABLE}=…")

"""The target ``kubernetes``: deployments in a namespace of a cluster, behind a Service or an HTTPRoute."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from flowyard.abc import Target
from flowyard.deploy.model import Address, Change, Deployment, EndpointState, WantedDeployment
from flowyard.deploy.options.kubernetes import KubernetesOptions
from flowyard.deploy.targets.kubernetes.client import KubernetesClient, Patience
from flowyard.deploy.targets.kubernetes.differences import object_changes
from flowyard.deploy.targets.kubernetes.export import write_export
from flowyard.deploy.targets.kubernetes.login import ClusterLogin
from flowyard.deploy.targets.kubernetes.making import (
    last_lines,
    make_deployment,
    remove_deployment,
    wait_till_ready,
)
from flowyard.deploy.targets.kubernetes.manifests import Manifest, deployment_objects, endpoint_objects, key_object
from flowyard.deploy.targets.kubernetes.names import (
    DEPLOYMENT,
    DIGEST,
    VERSION,
    key_secret,
    object_name,
    own_labels,
    require_name,
)
from flowyard.deploy.targets.kubernetes.pod import KEY_VARIABLE, pinned_image
from flowyard.deploy.targets.kubernetes.pods import deployment_state
from flowyard.deploy.targets.kubernetes.relay import relay
from flowyard.deploy.targets.kubernetes.shares import change_shares, require_shares, shares_of
from flowyard.errors import Conflict, NotFound, OutsideError

__all__ = ["KubernetesTarget"]

_END_S = 60.0


class KubernetesTarget(Target):
    """Every deployment has a Deployment and a Service of its own; the endpoint's Service selects one of them, or its
    HTTPRoute splits the requests between them.
    """

    label = "kubernetes"
    needs_image = True

    def __init__(
        self, home: Path, environ: Mapping[str, str], options: KubernetesOptions, patience: Patience | None = None
    ) -> None:
        del home  # all that has to be known is in the cluster
        self._environ = dict(environ)
        self._options = options
        self._patience = patience or Patience()

    @cached_property
    def client(self) -> KubernetesClient:
        """The cluster, logged in to when it is first needed."""
        options = self._options
        login = ClusterLogin(self._environ, options.context)
        namespace = options.namespace or login.namespace
        return KubernetesClient(login, namespace, self._patience, take_over=options.take_over)

    def plan(self, wanted: WantedDeployment) -> Sequence[Change]:
        """See Target. What belongs to the endpoint is tried on the cluster, which changes nothing."""
        require_name(wanted)
        changes: list[Change] = []
        if self._endpoint(wanted.endpoint) is None:
            changes.append(Change(f"endpoint {wanted.endpoint}", None, self._place(wanted.endpoint)))
        else:
            changes += self._endpoint_changes(wanted.endpoint)
        found = self.status(wanted.endpoint).find(wanted.name)
        if found is None or found.state != "ready":
            before = f"{found.version_label}, {found.state}" if found else None
            changes.append(Change(f"deployment {wanted.name}", before, wanted.version_label))
            if found is None and wanted.image is not None:
                for manifest in deployment_objects(wanted, self._options, pinned_image(wanted)):
                    self.client.apply(manifest, dry_run=True)
        return changes

    def apply(self, wanted: WantedDeployment) -> Deployment:
        """See Target."""
        require_name(wanted)
        pinned_image(wanted)
        self._ensure_endpoint(wanted)
        found = self.status(wanted.endpoint).find(wanted.name)
        if found is None or found.state != "ready":
            if found is not None and found.state in ("failed", "stopped") and not found.traffic:
                remove_deployment(self.client, wanted.endpoint, wanted.name, self._end_s)
            make_deployment(self.client, wanted, self._options)
            wait_till_ready(self.client, wanted, self._options.ready_s)
        made = self.status(wanted.endpoint).find(wanted.name)
        if made is None:
            raise OutsideError(f"The deployment {wanted.name} was taken away while it was made.")
        return made

    def status(self, endpoint: str) -> EndpointState:
        """See Target. What was begun and has no Deployment is told as stopped."""
        labels = own_labels(endpoint)
        services = [
            each for each in self.client.list_all("Service", labels) if DEPLOYMENT in each["metadata"]["labels"]
        ]
        made = {each["metadata"]["name"]: each for each in self.client.list_all("Deployment", labels)}
        pods = self.client.list_all("Pod", labels) if made else []
        behind = self._endpoint(endpoint)
        shares = shares_of(behind, f"{endpoint}-")
        services.sort(key=lambda each: (str(each["metadata"].get("creationTimestamp")), each["metadata"]["name"]))
        found = []
        for service in services:
            name = service["metadata"]["labels"][DEPLOYMENT]
            own = [pod for pod in pods if (pod["metadata"].get("labels") or {}).get(DEPLOYMENT) == name]
            state, why = deployment_state(made.get(object_name(endpoint, name)), own)
            notes = service["metadata"].get("annotations") or {}
            label, digest = str(notes.get(VERSION, "")), str(notes.get(DIGEST, ""))
            address = f"service/{service['metadata']['name']}"
            found.append(Deployment(name, label, digest, shares.get(name, 0), state, address, why))
        return EndpointState(endpoint, tuple(found), self._place(endpoint) if behind else None)

    @contextmanager
    def reach(self, endpoint: str, deployment: str | None = None) -> Iterator[Address]:
        """See Target. Through the API of the cluster, unless ``address`` of the options says where the endpoint is."""
        if deployment is not None:
            self._require(endpoint, [deployment])
        elif self._endpoint(endpoint) is None:
            raise NotFound(f"There is no endpoint {endpoint} in the namespace {self.client.namespace}.")
        # not as Authorization, which the API's server keeps for itself
        headers = {"api-key": self._key(endpoint)}
        if deployment is None and self._options.address:
            yield Address(self._options.address, headers)
            return
        with relay(self.client, object_name(endpoint, deployment) if deployment else endpoint, headers) as address:
            yield address

    def set_shares(self, endpoint: str, shares: Mapping[str, int]) -> None:
        """See Target. One object is changed, so that nobody ever sees a part of it."""
        require_shares(shares, can_split=self._options.route is not None)
        names = self._require(endpoint, list(shares))
        all_shares = {**dict.fromkeys(names, 0), **shares} if self._options.route else shares
        change_shares(self.client, endpoint, all_shares, is_route=self._options.route is not None)

    def logs(self, endpoint: str, deployment: str, lines: int = 100) -> Sequence[str]:
        """See Target."""
        self._require(endpoint, [deployment])
        return last_lines(self.client, endpoint, deployment, lines)

    def remove(self, endpoint: str, deployment: str | None = None) -> None:
        """See Target. Its pods get no new requests before they end, and time to finish those they have."""
        state = self.status(endpoint)
        if deployment is not None:
            if state.shares.get(deployment):
                raise Conflict(f"The deployment {deployment} still gets requests.", hint="Move them first.")
            remove_deployment(self.client, endpoint, deployment, self._end_s)
            return
        for each in state.deployments:
            remove_deployment(self.client, endpoint, each.name, self._end_s)
        for kind in ("Ingress", "HTTPRoute", "NetworkPolicy", "Service"):
            self.client.delete(kind, endpoint)
        self.client.delete("Secret", key_secret(endpoint))

    def export(self, wanted: WantedDeployment, folder: Path) -> Sequence[Path]:
        """See Target. Manifests, a ``kustomization.yaml`` and a Helm chart, with or without an image."""
        require_name(wanted)
        return write_export(wanted, self._options, folder)

    @property
    def _end_s(self) -> float:
        return self._options.request_s + _END_S

    def _endpoint(self, endpoint: str) -> Manifest | None:
        """The object that has the shares."""
        return self.client.get("HTTPRoute" if self._options.route else "Service", endpoint)

    def _place(self, endpoint: str) -> str:
        options = self._options
        if options.address:
            return options.address
        if options.ingress:
            return f"{'https' if options.ingress.tls_secret else 'http'}://{options.ingress.host}"
        return f"http://{endpoint}.{self.client.namespace}.svc"

    def _endpoint_changes(self, endpoint: str) -> list[Change]:
        changes: list[Change] = []
        for manifest in endpoint_objects(endpoint, self._options):
            before = self.client.get(manifest["kind"], endpoint)
            changes += object_changes(before, self.client.apply(manifest, dry_run=True))
        return changes

    def _ensure_endpoint(self, wanted: WantedDeployment) -> None:
        endpoint = wanted.endpoint
        other = "Service" if self._options.route else "HTTPRoute"
        if self._endpoint(endpoint) is None and shares_of(self._other(other, endpoint), f"{endpoint}-"):
            raise Conflict(
                f"The endpoint {endpoint} has its requests from a {other}, which the options do not say any more.",
                hint="Change 'route' back, or remove the endpoint first: flowyard deploy remove",
            )
        for manifest in endpoint_objects(endpoint, self._options):
            self.client.apply(manifest)
        if not self._has_key(wanted) and self.client.get("Secret", key_secret(endpoint)) is None:
            key = self._environ.get(KEY_VARIABLE) or secrets.token_urlsafe(32)
            self.client.apply(key_object(endpoint, key))

    def _other(self, kind: str, endpoint: str) -> Manifest | None:
        """An endpoint of the other kind, if it is ours; a cluster without a Gateway API has no routes."""
        found = self.client.get(kind, endpoint)
        labels = ((found or {}).get("metadata") or {}).get("labels") or {}
        return found if own_labels(endpoint).items() <= labels.items() else None

    def _has_key(self, wanted: WantedDeployment) -> bool:
        return KEY_VARIABLE in wanted.variables or KEY_VARIABLE in self._options.secrets

    def _key(self, endpoint: str) -> str:
        """The key that requests need: of the environment, else of the Secret where it is kept."""
        given = self._environ.get(KEY_VARIABLE)
        name, key = key_secret(endpoint), "key"
        if KEY_VARIABLE in self._options.secrets:
            name, _, key = self._options.secrets[KEY_VARIABLE].partition("/")
        elif given:
            return given
        found = self.client.get("Secret", name) or {}
        value = (found.get("data") or {}).get(key)
        if value is None:
            raise NotFound(f"Nobody knows the key of {endpoint}.", hint=f"export {KEY_VARIABLE}=…")
        return base64.b64decode(value).decode()

    def _require(self, endpoint: str, names: Sequence[str]) -> list[str]:
        """All deployments of the endpoint. Raises NotFound unless these are among them."""
        known = [each.name for each in self.status(endpoint).deployments]
        missing = [name for name in names if name not in known]
        if missing:
            raise NotFound(f"The endpoint {endpoint} has no deployment {missing[0]!r}.")
        return known

"""The target ``kubernetes``: deployments in a namespace of a cluster, behind a Service or an HTTPRoute."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from flowyard.abc import Target, TrafficPlatform
from flowyard.deploy.model import Address, Change, Deployment, EndpointState, Traffic, WantedDeployment
from flowyard.deploy.options.kubernetes import KubernetesOptions
from flowyard.deploy.targets.kubernetes.client import KubernetesClient, Patience
from flowyard.deploy.targets.kubernetes.differences import object_changes
from flowyard.deploy.targets.kubernetes.export import write_export
from flowyard.deploy.targets.kubernetes.keys import ensure_key, find_key
from flowyard.deploy.targets.kubernetes.login import ClusterLogin
from flowyard.deploy.targets.kubernetes.making import (
    last_lines,
    make_deployment,
    remove_deployment,
    wait_till_ready,
)
from flowyard.deploy.targets.kubernetes.manifests import Manifest, deployment_objects, endpoint_objects
from flowyard.deploy.targets.kubernetes.names import (
    DEPLOYMENT,
    DIGEST,
    VERSION,
    key_secret,
    object_name,
    own_labels,
    require_name,
)
from flowyard.deploy.targets.kubernetes.pod import pinned_image
from flowyard.deploy.targets.kubernetes.pods import deployment_state
from flowyard.deploy.targets.kubernetes.relay import relay
from flowyard.deploy.targets.kubernetes.shares import (
    change_shares,
    change_traffic,
    require_shares,
    require_traffic,
    shares_of,
    traffic_of,
)
from flowyard.errors import Conflict, NotFound, OutsideError

__all__ = ["KubernetesTarget"]

_END_S = 60.0


class KubernetesTarget(Target, TrafficPlatform):
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
            address = f"http://{service['metadata']['name']}.{self.client.namespace}.svc"
            found.append(Deployment(name, label, digest, shares.get(name, 0), state, address, why))
        return EndpointState(endpoint, tuple(found), self._place(endpoint) if behind else None)

    @contextmanager
    def reach(self, endpoint: str, deployment: str | None = None) -> Iterator[Address]:
        """See Target. Through the API of the cluster, unless ``address`` of the options says where the endpoint is."""
        state = self.status(endpoint)
        if deployment is not None:
            _require_known(state, [deployment])
        elif state.address is None:
            raise NotFound(f"There is no endpoint {endpoint} in the namespace {self.client.namespace}.")
        asked = [deployment] if deployment is not None else list(state.shares)
        # not as Authorization, which the API's server keeps for itself
        headers = {"api-key": find_key(self.client, endpoint, asked, self._options, self._environ)}
        if deployment is None and self._options.address:
            yield Address(self._options.address, headers)
            return
        with relay(self.client, object_name(endpoint, deployment) if deployment else endpoint, headers) as address:
            yield address

    def set_shares(self, endpoint: str, shares: Mapping[str, int]) -> None:
        """See Target. One object is changed, so that nobody ever sees a part of it."""
        require_shares(shares, can_split=self._options.route is not None)
        state = self.status(endpoint)
        _require_known(state, list(shares))
        given = {name: share for name, share in shares.items() if share}
        nobody = dict.fromkeys((each.name for each in state.deployments), 0)
        change_shares(self.client, endpoint, given or nobody, is_route=self._options.route is not None)

    def require_possible(self, wanted: Traffic) -> None:
        """See TrafficPlatform."""
        require_traffic(wanted, can_split=self._options.route is not None)

    def traffic(self, endpoint: str) -> Traffic:
        """See TrafficPlatform."""
        found = self._endpoint(endpoint)
        if found is None:
            raise NotFound(f"There is no endpoint {endpoint} in the namespace {self.client.namespace}.")
        return traffic_of(found, f"{endpoint}-")

    def set_traffic(self, endpoint: str, wanted: Traffic, seen: Traffic) -> None:
        """See TrafficPlatform."""
        self.require_possible(wanted)
        _require_known(self.status(endpoint), [*wanted.shares, *wanted.mirror])
        change_traffic(self.client, endpoint, wanted, seen, is_route=self._options.route is not None)

    def logs(self, endpoint: str, deployment: str, lines: int = 100) -> Sequence[str]:
        """See Target."""
        _require_known(self.status(endpoint), [deployment])
        return last_lines(self.client, endpoint, deployment, lines)

    def remove(self, endpoint: str, deployment: str | None = None) -> None:
        """See Target. Its pods get no new requests before they end, and time to finish those they have."""
        state = self.status(endpoint)
        if deployment is not None:
            if state.shares.get(deployment):
                raise Conflict(f"The deployment {deployment} still gets requests.", hint="Move them first.")
            now = traffic_of(self._endpoint(endpoint), f"{endpoint}-")
            if deployment in now.mirror:
                left = {name: percent for name, percent in now.mirror.items() if name != deployment}
                self.set_traffic(endpoint, Traffic(now.shares, left), now)
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
        ensure_key(self.client, wanted, self._options, self._environ)

    def _other(self, kind: str, endpoint: str) -> Manifest | None:
        """An endpoint of the other kind, if it is ours; a cluster without a Gateway API has no routes."""
        found = self.client.get(kind, endpoint)
        labels = ((found or {}).get("metadata") or {}).get("labels") or {}
        return found if own_labels(endpoint).items() <= labels.items() else None


def _require_known(state: EndpointState, names: Sequence[str]) -> None:
    """Raises NotFound unless the endpoint has all these deployments."""
    missing = [name for name in names if state.find(name) is None]
    if missing:
        raise NotFound(f"The endpoint {state.endpoint} has no deployment {missing[0]!r}.")

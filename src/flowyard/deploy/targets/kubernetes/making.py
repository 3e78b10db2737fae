"""Making one deployment in a cluster, waiting for it, and taking it away; each may be killed and is then done again."""

from __future__ import annotations

from collections.abc import Sequence

from flowyard._util.printable import printable_text
from flowyard.deploy.model import WantedDeployment
from flowyard.deploy.options.kubernetes import KubernetesOptions
from flowyard.deploy.targets.kubernetes.client import KubernetesClient
from flowyard.deploy.targets.kubernetes.manifests import deployment_objects, secret_object
from flowyard.deploy.targets.kubernetes.names import object_name, selector
from flowyard.deploy.targets.kubernetes.pod import pinned_image
from flowyard.deploy.targets.kubernetes.pods import deployment_state, is_rolled_out
from flowyard.errors import OutsideError

__all__ = ["last_lines", "make_deployment", "remove_deployment", "wait_till_ready"]

_SHOWN = 8
_EVENTS = 4


def make_deployment(client: KubernetesClient, wanted: WantedDeployment, options: KubernetesOptions) -> None:
    """Have its objects in the cluster: its Service, by which it is seen, its Secret, and its Deployment last."""
    first, *others = deployment_objects(wanted, options, pinned_image(wanted))
    secret = secret_object(wanted, options)
    for manifest in (first, *((secret,) if secret else ()), *others):
        client.apply(manifest)


def wait_till_ready(client: KubernetesClient, wanted: WantedDeployment, ready_s: float) -> None:
    """Raises OutsideError, with its last lines and the cluster's warnings, when it fails or takes too long."""
    endpoint, name = wanted.endpoint, wanted.name

    def is_ready() -> bool:
        found = client.get("Deployment", object_name(endpoint, name))
        if found is not None and is_rolled_out(found):
            return True
        state, why = deployment_state(found, client.list_all("Pod", selector(endpoint, name)))
        if state in ("failed", "stopped"):
            raise _not_ready(client, wanted, why)
        return False

    if not client.patience.wait_until(is_ready, ready_s):
        raise _not_ready(client, wanted, f"It was not ready within {ready_s:g} s.")


def remove_deployment(client: KubernetesClient, endpoint: str, deployment: str, wait_s: float) -> None:
    """Take all its objects away, its Service last, once its pods have ended their requests."""
    name = object_name(endpoint, deployment)
    client.delete("Deployment", name)
    if not client.patience.wait_until(lambda: client.get("Deployment", name) is None, wait_s):
        raise OutsideError(
            f"The pods of {name} did not end within {wait_s:g} s.",
            hint=f"Try: kubectl get pods -n {client.namespace} -l flowyard.deployment={deployment}",
        )
    for kind in ("HorizontalPodAutoscaler", "PodDisruptionBudget", "Secret", "Service"):
        client.delete(kind, name)


def last_lines(client: KubernetesClient, endpoint: str, deployment: str, lines: int) -> Sequence[str]:
    """The last lines of all its pods by their time; of a pod that starts anew, those before its end."""
    found: list[str] = []
    for pod in client.list_all("Pod", selector(endpoint, deployment)):
        name = str(pod["metadata"]["name"])
        own = client.log(name, lines, previous=False)
        if len(own) < lines and any(
            int(each.get("restartCount") or 0) for each in (pod.get("status") or {}).get("containerStatuses") or []
        ):
            own = client.log(name, lines, previous=True) + own
        found += own
    return [printable_text(line.partition(" ")[2]) for line in sorted(found)[-lines:]]


def _not_ready(client: KubernetesClient, wanted: WantedDeployment, why: str) -> OutsideError:
    said = [*_warnings(client, wanted), *last_lines(client, wanted.endpoint, wanted.name, _SHOWN)]
    message = f"The deployment {wanted.name} of {wanted.version_label} is not ready: {why}"
    return OutsideError("\n".join([message, *said]))


def _warnings(client: KubernetesClient, wanted: WantedDeployment) -> list[str]:
    """What the cluster warned of: of the Deployment and its pods, which are called after it; newest last."""
    name = object_name(wanted.endpoint, wanted.name)
    events = [
        each
        for each in client.list_all("Event", fields="type=Warning")
        if str((each.get("involvedObject") or {}).get("name", "")).startswith(name)
    ]
    events.sort(key=lambda each: str(each.get("lastTimestamp") or each.get("eventTime") or ""))
    said = (printable_text(f"{each.get('reason')}: {each.get('message')}")[:300] for each in events)
    return list(dict.fromkeys(said))[-_EVENTS:]

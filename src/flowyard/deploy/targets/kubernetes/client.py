"""The requests to a cluster's API that a deployment needs, asked again where that is safe and may help."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from flowyard._util.printable import printable_text
from flowyard._util.retry_after import parse_retry_after
from flowyard.deploy.targets.kubernetes.login import ClusterLogin
from flowyard.deploy.targets.kubernetes.manifests import Manifest
from flowyard.deploy.targets.kubernetes.names import MANAGED
from flowyard.errors import OutsideError

__all__ = ["ChangedMeanwhile", "KubernetesClient", "Patience"]

_PLACES: Mapping[str, tuple[str, str]] = {
    "Deployment": ("apis/apps/v1", "deployments"),
    "EndpointSlice": ("apis/discovery.k8s.io/v1", "endpointslices"),
    "Event": ("api/v1", "events"),
    "HTTPRoute": ("apis/gateway.networking.k8s.io/v1", "httproutes"),
    "HorizontalPodAutoscaler": ("apis/autoscaling/v2", "horizontalpodautoscalers"),
    "Ingress": ("apis/networking.k8s.io/v1", "ingresses"),
    "NetworkPolicy": ("apis/networking.k8s.io/v1", "networkpolicies"),
    "Pod": ("api/v1", "pods"),
    "PodDisruptionBudget": ("apis/policy/v1", "poddisruptionbudgets"),
    "Secret": ("api/v1", "secrets"),
    "Service": ("api/v1", "services"),
}
_ASKED_TO_WAIT = frozenset({429, 503})
_MAY_PASS = frozenset({408, 500, 502, 504})
_APPLY = "application/apply-patch+yaml"
_PAGE = 500
_CONNECT_S, _ANSWER_S = 20.0, 60.0
_LARGEST = 64 << 20


class ChangedMeanwhile(OutsideError):
    """An object is not any more as it was read."""


@dataclass(frozen=True, slots=True)
class Patience:
    """A request is tried ``attempts`` times within ``total_s`` seconds; waits double from ``first_s`` on, half of each
    by chance. What the cluster does afterwards is looked at every ``look_s`` seconds, and its following ``follow_s``.
    """

    attempts: int = 8
    first_s: float = 0.25
    longest_s: float = 15.0
    total_s: float = 180.0
    look_s: float = 0.5
    follow_s: float = 60.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = random.random

    def wait_s(self, attempt: int, asked_s: float | None) -> float:
        """Seconds to wait after an attempt, from 1: what was asked for and a little, else by the attempt."""
        spread = min(self.longest_s, self.first_s * 2.0 ** (attempt - 1)) * (0.5 + 0.5 * self.chance())
        return spread if asked_s is None else asked_s + min(spread, self.first_s)

    def wait_until(self, is_so: Callable[[], bool], timeout_s: float) -> bool:
        """Look until something is so; False when the time is over."""
        until = self.clock() + timeout_s
        while not is_so():
            if self.clock() > until:
                return False
            self.sleep(self.look_s)
        return True


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def body(self) -> Any:
        """The JSON of the answer, None when it is none."""
        try:
            return json.loads(self.content)
        except ValueError:
            return None


class KubernetesClient:
    """Objects of one namespace. Every method raises OutsideError when the cluster refuses or does not answer."""

    def __init__(self, login: ClusterLogin, namespace: str, patience: Patience, *, take_over: bool = False) -> None:
        self.login = login
        self.namespace = namespace
        self.patience = patience
        self._take_over = take_over

    def get(self, kind: str, name: str) -> Manifest | None:
        """The object; None when it is not there."""
        answer = self._ask("GET", self._path(kind, name), f"{kind} {name}")
        return None if answer is None else dict(answer.body)

    def list_all(self, kind: str, labels: Mapping[str, str] | None = None, fields: str | None = None) -> list[Manifest]:
        """All objects with these labels."""
        query: dict[str, str] = {"limit": str(_PAGE)}
        if labels:
            query["labelSelector"] = ",".join(f"{name}={value}" for name, value in labels.items())
        if fields:
            query["fieldSelector"] = fields
        found: list[Manifest] = []
        while True:
            answer = self._ask("GET", self._path(kind), f"the list of {kind}s", query)
            body = answer.body if answer else {}
            found += body.get("items") or []
            following = (body.get("metadata") or {}).get("continue")
            if not following:
                return found
            query["continue"] = following

    def apply(self, manifest: Manifest, manager: str = MANAGED, *, dry_run: bool = False) -> Manifest:
        """Have the object so, as far as the manifest goes, by server-side apply; fields left out that this manager
        owned are taken away. Raises OutsideError, naming the owners, when others own a field with another value, and
        ChangedMeanwhile when the manifest has a ``resourceVersion`` which is not that of the object any more.
        """
        kind, name = str(manifest["kind"]), str(manifest["metadata"]["name"])
        query = {"fieldManager": manager, "fieldValidation": "Strict"}
        query |= {"force": "true"} if self._take_over else {}
        query |= {"dryRun": "All"} if dry_run else {}
        answer = self._ask("PATCH", self._path(kind, name), f"{kind} {name}", query, json.dumps(manifest).encode())
        if answer is None:
            raise OutsideError(
                f"The cluster has no place for {kind} {name} in the namespace {self.namespace}.",
                hint=f"Try: kubectl create namespace {self.namespace}, or install what brings {kind}s",
            )
        return dict(answer.body)

    def delete(self, kind: str, name: str) -> None:
        """Delete the object once what belongs to it is gone; what is not there is no error."""
        self._ask("DELETE", self._path(kind, name), f"{kind} {name}", {"propagationPolicy": "Foreground"})

    def log(self, pod: str, lines: int, *, previous: bool) -> list[str]:
        """The last lines of a pod's container, each with the time before it; none while it does not run."""
        query = {"container": "flow", "tailLines": str(lines), "timestamps": "true"}
        query |= {"previous": "true"} if previous else {}
        answer = self._send("GET", f"{self._path('Pod', pod)}/log", f"the log of {pod}", query, None, as_json=False)
        if answer.status >= 400:
            return []
        return answer.content.decode("utf-8", "replace").splitlines()

    def proxy_url(self, service: str) -> str:
        """Where the API's server hands requests on to a Service."""
        return f"{self.login.server}{self._path('Service', f'{service}:http')}/proxy"

    def _path(self, kind: str, name: str | None = None) -> str:
        base, plural = _PLACES[kind]
        path = f"/{base}/namespaces/{quote(self.namespace, safe='')}/{plural}"
        return f"{path}/{quote(name, safe=':')}" if name else path

    def _ask(
        self, method: str, path: str, what: str, query: Mapping[str, str] | None = None, content: bytes | None = None
    ) -> _Answer | None:
        """The answer, None for what is not there."""
        answer = self._send(method, path, what, query or {}, content)
        if answer.status == 404:
            return None
        if answer.status >= 400:
            raise _refused(answer, method, what, self)
        return answer

    def _send(
        self,
        method: str,
        path: str,
        what: str,
        query: Mapping[str, str],
        content: bytes | None,
        *,
        as_json: bool = True,
    ) -> _Answer:
        """The answer, whatever its status. All that is asked here does the same when it is asked twice."""
        patience, attempt = self.patience, 1
        began = patience.clock()
        while True:
            answer, how = self._once(method, path, query, content, as_json=as_json)
            if answer is not None and answer.status not in _ASKED_TO_WAIT | _MAY_PASS:
                return answer
            asked = parse_retry_after(answer.headers) if answer and answer.status in _ASKED_TO_WAIT else None
            wait_s = patience.wait_s(attempt, asked)
            if attempt >= patience.attempts or patience.clock() - began + wait_s > patience.total_s:
                if answer is not None:
                    return answer
                raise OutsideError(
                    f"The answer of {self.login.server} to {method} {what} {how} (asked {attempt} times).",
                    hint="Is the cluster reached? kubectl version. Then run the command again.",
                )
            patience.sleep(wait_s)
            attempt += 1

    def _once(
        self, method: str, path: str, query: Mapping[str, str], content: bytes | None, *, as_json: bool
    ) -> tuple[_Answer | None, str]:
        import urllib3  # noqa: PLC0415 - comes with the official client

        headers = {"Accept": "application/json" if as_json else "*/*", **self.login.headers()}
        if content is not None:
            headers["Content-Type"] = _APPLY
        try:
            raw = self.login.pool.request(
                method,
                f"{self.login.server}{path}{'?' + urlencode(query) if query else ''}",
                body=content,
                headers=headers,
                redirect=False,
                retries=False,
                preload_content=False,
                timeout=urllib3.Timeout(connect=_CONNECT_S, read=_ANSWER_S),
            )
            try:
                answer = _Answer(raw.status, dict(raw.headers), raw.read(_LARGEST))
                raw.drain_conn()
            finally:
                raw.release_conn()
        except (urllib3.exceptions.SSLError, urllib3.exceptions.LocationValueError) as error:
            raise OutsideError(
                f"{self.login.server} is not trusted or no address ({type(error).__name__}).",
                hint="The kubeconfig's certificate-authority has to be the cluster's.",
            ) from None
        except (urllib3.exceptions.HTTPError, OSError) as error:
            return None, f"was cut off ({type(error).__name__})"
        if as_json and answer.status < 400 and not isinstance(answer.body, dict):
            return None, "is cut off"
        return answer, ""


def _refused(answer: _Answer, method: str, what: str, client: KubernetesClient) -> OutsideError:
    """What the cluster said. Of Secrets only the reason is told: the message might show values."""
    body = answer.body if isinstance(answer.body, dict) else {}
    shown = f"{what} in {client.namespace}"
    if answer.status == 409:
        return _conflict(body, shown)
    reason = printable_text(str(body.get("reason") or f"HTTP {answer.status}"))
    said = "" if what.startswith("Secret") else f": {printable_text(str(body.get('message', '')))[:600]}"
    hint = None
    if answer.status == 401:
        hint = "Log in again: kubectl auth whoami says who you are."
    if answer.status == 403:
        hint = "docs/deploy_kubernetes.md lists the rights; try: kubectl auth can-i --list"
    return OutsideError(f"The cluster refused {method} {shown} ({reason}){said}", hint=hint)


def _conflict(body: Mapping[str, Any], shown: str) -> OutsideError:
    """Which fields others own, and who."""
    causes = (body.get("details") or {}).get("causes") or []
    owned = [f"{each.get('field')} ({each.get('message')})" for each in causes if isinstance(each, dict)]
    if not owned:
        said = printable_text(str(body.get("message", "")))[:600]
        return ChangedMeanwhile(
            f"{shown} was changed by somebody else meanwhile: {said}", hint="Run the command again."
        )
    return OutsideError(
        printable_text(f"Others own fields of {shown}: {'; '.join(owned)}")[:1000],
        hint="Have them give the fields up, or take them: options: {take_over: true}",
    )

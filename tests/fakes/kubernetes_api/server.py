"""The API's server, and the gateway that splits requests."""

from __future__ import annotations

import base64
import http.client
import json
import random
import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import uuid4

from stand_in import Fault, server_context, write_certificate

from kubernetes_api.objects import Objects
from kubernetes_api.pods import Pods, Program
from kubernetes_api.refused import Refused

NAMESPACE = "flows"
_KINDS = {
    "deployments": "Deployment",
    "endpointslices": "EndpointSlice",
    "events": "Event",
    "horizontalpodautoscalers": "HorizontalPodAutoscaler",
    "httproutes": "HTTPRoute",
    "ingresses": "Ingress",
    "networkpolicies": "NetworkPolicy",
    "poddisruptionbudgets": "PodDisruptionBudget",
    "pods": "Pod",
    "secrets": "Secret",
    "services": "Service",
}
_PROXY = re.compile(r"/api/v1/namespaces/flows/services/([^/:]+):http/proxy(/.*)")
_PATH = re.compile(r"/apis?/(?:[a-z0-9.]+/)?v\d/namespaces/([^/]+)/([a-z]+)(?:/([^/]+))?(/.*)?")


@dataclass(frozen=True)
class Seen:
    """A request as it came."""

    method: str
    path: str
    query: dict[str, str]


class FakeKubernetes:
    """One namespace. ``images`` are the programs of images by their whole references; all may be changed while it runs.

    ``shares_seen`` is what anybody would have seen after each request; with True when all that get requests have pods.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.token = f"token-{uuid4().hex}"
        self.address = self.gateway = ""
        self.objects = Objects()
        self.images: dict[str, Program] = {}
        self.pods = Pods(folder, self.images)
        self.faults: list[Fault] = []
        self.seen: list[Seen] = []
        self.shares_seen: set[tuple[tuple[tuple[str, int], ...], bool]] = set()
        self.events: list[dict[str, Any]] = []
        self.takes_routes = True
        self.refuses_secrets = False
        """Whether Secrets are refused with a message that shows what was sent."""
        self.lock = threading.RLock()
        self._chance = random.Random(7)

    def write_kubeconfig(self, path: Path, user: dict[str, Any] | None = None) -> Path:
        """A kubeconfig with the context ``tests``, and one that leads nowhere."""
        authority = base64.b64encode((self.folder / "certificate.pem").read_bytes()).decode()
        contexts = [
            {"name": "tests", "context": {"cluster": "tests", "user": "tests", "namespace": NAMESPACE}},
            {"name": "plain", "context": {"cluster": "tests", "user": "tests"}},
        ]
        cluster = {"server": self.address, "certificate-authority-data": authority}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "tests",
            "contexts": contexts,
            "clusters": [{"name": "tests", "cluster": cluster}],
            "users": [{"name": "tests", "user": user or {"token": self.token}}],
        }
        path.write_text(json.dumps(config))
        return path

    def shares(self, endpoint: str) -> dict[str, int]:
        """What anybody would see: the shares that the endpoint's objects say."""
        route = self.objects.get("HTTPRoute", endpoint)
        if route is not None:
            behind = [each for rule in route["spec"]["rules"] for each in rule.get("backendRefs", [])]
            return {each["name"]: each["weight"] for each in behind if each["weight"]}
        service = self.objects.get("Service", endpoint) or {}
        chosen = service.get("spec", {}).get("selector", {}).get("flowyard.deployment", "none")
        return {} if chosen == "none" else {chosen: 100}

    def answer(self, method: str, path: str, query: dict[str, str], content: bytes) -> Any:
        """The body of the answer. Raises Refused."""
        found = _PATH.fullmatch(path)
        if found is None or found[2] not in _KINDS:
            raise Refused(404, "NotFound", "the server could not find the requested resource")
        if found[1] != NAMESPACE:
            raise Refused(403, "Forbidden", f'User "tests" cannot use the namespace "{found[1]}"')
        kind, name, rest = _KINDS[found[2]], unquote(found[3] or ""), found[4]
        with self.lock:
            self.pods.look(self.objects)
            if method == "PATCH":
                body = json.loads(content)
                if body["kind"] != kind or body["metadata"]["name"] != name:
                    raise Refused(400, "BadRequest", "the object does not match the URL")
                if kind == "Secret" and self.refuses_secrets:
                    raise Refused(422, "Invalid", f"admission webhook denied {content!r}")
                return self.objects.apply(
                    body, query["fieldManager"], force=query.get("force") == "true", dry_run="dryRun" in query
                )
            if method == "DELETE":
                return self._delete(kind, name)
            if rest == "/log":
                return self._log(name, query)
            if not name:
                return {"kind": "List", "metadata": {}, "items": self._listed(kind, query)}
            body = self.objects.get(kind, name)
            if body is None:
                raise Refused(404, "NotFound", f'{found[2]} "{name}" not found')
            return self._shown(body)

    def _listed(self, kind: str, query: dict[str, str]) -> list[dict[str, Any]]:
        if kind == "EndpointSlice":
            return self._slices(query["labelSelector"].partition("=")[2])
        if kind == "Event":
            return self.events
        found = [pod.body for pod in self.pods.found.values()] if kind == "Pod" else self.objects.of(kind)
        asked = dict(part.split("=", 1) for part in query.get("labelSelector", "").split(",") if part)
        return [self._shown(each) for each in found if asked.items() <= each["metadata"].get("labels", {}).items()]

    def _slices(self, service: str) -> list[dict[str, Any]]:
        selector = (self.objects.get("Service", service) or {}).get("spec", {}).get("selector")
        behind = self.pods.behind(selector) if selector else []
        return [{"endpoints": [{"conditions": {"ready": True}, "targetRef": {"name": pod.name}} for pod in behind]}]

    def _shown(self, body: dict[str, Any]) -> dict[str, Any]:
        if body.get("kind") != "HTTPRoute":
            return body
        behind = [each["name"] for rule in body["spec"]["rules"] for each in rule.get("backendRefs", [])]
        resolved = all(self.objects.get("Service", name) for name in behind)
        seen = {"observedGeneration": body["metadata"].get("generation", 0)}
        accepted = {"type": "Accepted", "status": str(self.takes_routes), "reason": "NotAllowedByListeners", **seen}
        found = {"type": "ResolvedRefs", "status": str(resolved), "reason": "BackendNotFound", **seen}
        return {**body, "status": {"parents": [{"conditions": [accepted, found]}]}}

    def _delete(self, kind: str, name: str) -> dict[str, Any]:
        body = self.objects.get(kind, name)
        if body is None:
            raise Refused(404, "NotFound", f"{name} not found")
        if kind == "Deployment":
            self.pods.end(name)
        self.objects.remove(kind, name)
        return {"kind": "Status", "status": "Success"}

    def _log(self, name: str, query: dict[str, str]) -> str:
        pod = self.pods.found.get(name)
        if pod is None or not pod.log.exists():
            raise Refused(400, "BadRequest", "container is waiting to start")
        lines = [] if "previous" in query else pod.log.read_text("utf-8", "replace").splitlines()
        stamped = [f"2026-01-01T00:00:{number / 1e6:09.6f}Z {line}" for number, line in enumerate(lines)]
        return "\n".join(stamped[-int(query["tailLines"]) :])

    def port_behind(self, service: str) -> int | None:
        """The port of a pod that answers for a Service, None when there is none."""
        with self.lock:
            self.pods.look(self.objects)
            selector = (self.objects.get("Service", service) or {}).get("spec", {}).get("selector")
            ready = self.pods.behind(selector) if selector else []
            return self._chance.choice(ready).port if ready else None

    def port_behind_route(self, endpoint: str) -> int | None:
        """The same for a route, by its weights."""
        with self.lock:
            weights = self.shares(endpoint)
            if not weights:
                return None
            (service,) = self._chance.choices(list(weights), list(weights.values()))
            return self.port_behind(service)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def _handle(self) -> None:
        fake, parts = self.server.fake, urlsplit(self.path)
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.server.is_gateway:
            return self._hand_on(
                fake.port_behind_route(parts.path.split("/")[1]), "/" + self.path.split("/", 2)[2], content
            )
        if self.headers.get("Authorization") != f"Bearer {fake.token}":
            return self._say(401, Refused(401, "Unauthorized", "Unauthorized").body)
        if (
            proxied := re.fullmatch(r"/api/v1/namespaces/flows/services/([^/:]+):http/proxy(/.*)", self.path)
        ) is not None:
            return self._hand_on(fake.port_behind(proxied[1]), proxied[2], content)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        fake.seen.append(Seen(self.command, parts.path, query))
        fault = next((each for each in fake.faults if each.takes(self.command, parts.path)), None)
        if fault is not None and fault.kind == "status":
            return self._say(fault.status, Refused(fault.status, "Fault", "an internal error").body, fault.headers)
        if fault is not None and fault.kind == "reset":
            return self._abort()
        try:
            status, body = 200, fake.answer(self.command, parts.path, query, content)
        except Refused as refused:
            status, body = refused.status, refused.body
        with fake.lock:
            seen = fake.shares("shop-dev")
            served = all(fake.pods.behind({"flowyard.deployment": name.removeprefix("shop-dev-")}) for name in seen)
            fake.shares_seen.add((tuple(sorted(seen.items())), served))
        if fault is not None and fault.kind == "reset_after":
            return self._abort()
        self._say(status, body, half=fault.kind if fault else "")

    def __getattr__(self, name: str) -> Any:
        """All methods are handled alike."""
        if name in ("do_GET", "do_PATCH", "do_DELETE", "do_POST"):
            return self._handle
        raise AttributeError(name)

    def _hand_on(self, port: int | None, path: str, content: bytes) -> None:
        if port is None:
            return self._say(503, {"kind": "Status", "message": "no endpoints available for service"})
        kept = {
            name: value for name, value in self.headers.items() if name.lower() not in ("authorization", "connection")
        }
        asked = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            asked.request(self.command, path, content, kept)
            answer = asked.getresponse()
            status, body = answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            status, body = 502, b"{}"
        finally:
            asked.close()
        self._say(status, body)

    def _say(self, status: int, body: Any, headers: Any = None, half: str = "") -> None:
        content = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
        sent = content[: len(content) // 2] if half else content
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content if half == "cut" else sent)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(sent)
        self.close_connection = self.close_connection or half == "cut"

    def _abort(self) -> None:
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, fake: FakeKubernetes, *, is_gateway: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.fake = fake
        self.is_gateway = is_gateway

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


@contextmanager
def running_kubernetes(folder: Path) -> Iterator[FakeKubernetes]:
    """A cluster until the context ends; ``folder`` is for its certificate and the logs of its pods."""
    certificate, key = write_certificate(folder)
    context = server_context(certificate, key)
    fake = FakeKubernetes(folder)
    with ExitStack() as stack:
        stack.callback(fake.pods.end_all)
        api, gateway = _Server(fake, is_gateway=False), _Server(fake, is_gateway=True)
        api.socket = context.wrap_socket(api.socket, server_side=True, do_handshake_on_connect=False)
        fake.address = f"https://localhost:{api.server_address[1]}"
        fake.gateway = f"http://127.0.0.1:{gateway.server_address[1]}"
        for server in (api, gateway):
            thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="fake cluster")
            thread.start()
            for ending in (server.server_close, thread.join, server.shutdown):
                stack.callback(ending)
        yield fake

"""Online endpoints and their deployments: made and changed by operations that go on after the answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import uuid4

from aiohttp import web
from jsonschema import Draft202012Validator

from azure_ml import shapes
from azure_ml.faults import refused
from azure_ml.serving import FakeServing, as_container

Way = Literal["Azure-AsyncOperation", "Location", "provisioningState"]
Outcome = Literal["Succeeded", "Failed", "Canceled", "stuck"]

NAME = re.compile(r"[a-zA-Z]([-a-zA-Z0-9]{1,30}[a-zA-Z0-9])")
DEPLOYMENT_NAME = re.compile(r"[a-zA-Z]([-a-zA-Z0-9]{0,30}[a-zA-Z0-9])?")
AT_ONCE = {"Retry-After": "0"}


@dataclass
class Operation:
    """Asked about ``polls`` times before it ends as ``outcome``. ``place`` is what it makes, changes or deletes."""

    polls: int
    outcome: Outcome
    place: str
    resource: dict[str, Any] | None
    problem: str = "The image cannot be pulled."

    @property
    def is_done(self) -> bool:
        return self.polls <= 0 and self.outcome != "stuck"


class FakeEndpoints:
    """``way``, ``polls`` and ``outcome`` say how the operations go that are begun from now on.

    ``traffic_seen`` are the shares of every GET of an endpoint.
    """

    def __init__(self, path: str, image_of: Callable[[str], str] = lambda _: "") -> None:
        self._path = path
        self._image_of = image_of
        self._endpoint = Draft202012Validator(shapes.tracked(shapes.ENDPOINT))
        self._deployment = Draft202012Validator(shapes.tracked(shapes.DEPLOYMENT))
        self.serving = FakeServing()
        self.serving.traffic_of = self.traffic
        self.resources: dict[str, dict[str, Any]] = {}
        self.operations: dict[str, Operation] = {}
        self.traffic_seen: list[Mapping[str, int]] = []
        self.way: Way = "Azure-AsyncOperation"
        self.polls = 2
        self.outcome: Outcome = "Succeeded"

    def answer(self, method: str, place: str, address: str, body: Any, if_match: str | None = None) -> web.Response:
        """``place`` is ``NAME``, ``NAME/deployments[/NAME]`` or with an action at its end."""
        if method == "GET":
            return self._list(place) if place.endswith("/deployments") else self._get(place)
        if method == "PUT":
            return self._put(place, address, body, if_match)
        if method == "DELETE":
            return self._delete(place, address)
        target, _, action = place.rpartition("/")
        if method == "POST":
            return self._act(target, action, body)
        return refused(405, "MethodNotAllowed", "")

    def operation(self, identity: str, *, as_location: bool) -> web.Response:
        operation = self.operations.get(identity)
        if operation is None:
            return refused(404, "NotFound", "")
        running = self._step(operation)
        if as_location:
            return web.Response(status=202) if running else web.json_response(operation.resource or {})
        if running:
            return web.json_response({"id": identity, "status": "InProgress"}, headers=self._soon)
        record: dict[str, Any] = {"id": identity, "status": operation.outcome}
        if operation.outcome != "Succeeded":
            record["error"] = {"code": "ImagePullFailed", "message": operation.problem}
        return web.json_response(record)

    def end_stuck(self, outcome: Outcome) -> None:
        """What never ended does so at the next look."""
        for operation in self.operations.values():
            if operation.outcome == "stuck":
                operation.polls, operation.outcome = 1, outcome

    @property
    def _soon(self) -> dict[str, str] | None:
        """Tests with processes have no time to lose; those with a clock of their own see how long is waited."""
        return AT_ONCE if self.serving.images else None

    def traffic(self, endpoint: str) -> dict[str, int]:
        """The shares of an endpoint as they are now."""
        return (self.resources.get(endpoint) or {"properties": {}})["properties"].get("traffic") or {}

    def _step(self, operation: Operation) -> bool:
        """Whether it goes on after one more look."""
        if operation.is_done:
            return False
        state = self.serving.state(operation.place)
        if operation.resource is not None and state == "starting":
            return True
        operation.polls -= 1
        if operation.resource is not None and state == "ended":
            operation.polls, operation.outcome, operation.problem = 0, "Failed", "The container terminated."
        if not operation.is_done:
            return True
        if operation.resource is not None:
            operation.resource["properties"]["provisioningState"] = operation.outcome
        else:
            self._gone(operation.place)
        return False

    def _gone(self, place: str) -> None:
        for each in [name for name in self.resources if name == place or name.startswith(f"{place}/")]:
            del self.resources[each]
        self.serving.stop(place)

    def _under_way(self, place: str) -> Operation | None:
        running = (each for each in self.operations.values() if each.place == place and not each.is_done)
        return next(running, None)

    def _get(self, place: str) -> web.Response:
        operation = self._under_way(place)
        if operation is not None and (self.way == "provisioningState" or self.serving.images):
            self._step(operation)
        found = self.resources.get(place)
        if found is None:
            return refused(404, "ResourceNotFound", f"{place} was not found.")
        if "/" not in place:
            self.traffic_seen.append(dict(self.traffic(place)))
        return web.json_response(found, headers=self._soon if self._under_way(place) else None)

    def _list(self, place: str) -> web.Response:
        if place.removesuffix("/deployments") not in self.resources:
            return refused(404, "ResourceNotFound", f"{place} was not found.")
        return web.json_response(
            {"value": [each for name, each in self.resources.items() if name.startswith(f"{place}/")]}
        )

    def _put(self, place: str, address: str, body: Any, if_match: str | None) -> web.Response:
        endpoint, _, deployment = place.partition("/deployments/")
        check = self._deployment if deployment else self._endpoint
        problem = next((each.message for each in check.iter_errors(body)), None) or self._traffic_problem(place, body)
        if problem is not None or not (DEPLOYMENT_NAME if deployment else NAME).fullmatch(deployment or endpoint):
            return refused(400, "ValidationError", problem or "The name is not valid.")
        if deployment and endpoint not in self.resources:
            return refused(404, "ResourceNotFound", f"{endpoint} was not found.")
        found = self.resources.get(place)
        if if_match is not None and (found is None or found["etag"] != if_match):
            return refused(412, "PreconditionFailed", "The resource was changed meanwhile.")
        if self.serving.images and self._under_way(place) is not None:
            return refused(409, "Conflict", "Another operation on the resource is in progress.")
        made = found if found is not None else self._new(place, deployment or endpoint)
        made.update(body)
        made["etag"] = uuid4().hex
        made["properties"] = {
            **body["properties"],
            **self._own_fields(place),
            "provisioningState": "Creating" if found is None else "Updating",
        }
        self.resources[place] = made
        operation = Operation(self.polls, self.outcome, place, made)
        if not deployment:
            made["identity"] = self._identity(endpoint, body.get("identity"))
        elif self.serving.images:
            self.serving.stop(place)
            image = self._image_of(str(body["properties"].get("environmentId") or ""))
            if not self.serving.start(place, image, as_container(body["properties"])):
                operation.outcome = "Failed"
        return self._begun(address, made, 201 if found is None else 200, operation)

    def _new(self, place: str, name: str) -> dict[str, Any]:
        now = datetime.now(UTC).isoformat()
        return {"id": f"{self._path}/{place}", "name": name, "systemData": {"createdAt": now}}

    def _own_fields(self, place: str) -> dict[str, Any]:
        if "/" in place:
            return {}
        return {"scoringUri": f"{self.serving.address}/api/v1/endpoint/{place}/score"}

    def _identity(self, name: str, given: Any) -> dict[str, Any]:
        identity = given or {"type": "SystemAssigned"}
        if "SystemAssigned" in identity["type"]:
            return {**identity, "principalId": f"principal-of-{name}", "tenantId": "tenant"}
        known = {
            each: {"principalId": f"principal-of-{each.rpartition('/')[2]}"}
            for each in identity["userAssignedIdentities"]
        }
        return {**identity, "userAssignedIdentities": known}

    def _delete(self, place: str, address: str) -> web.Response:
        found = self.resources.get(place)
        if found is None:
            return web.Response(status=204)
        endpoint, _, deployment = place.partition("/deployments/")
        mirror = self.resources[endpoint]["properties"].get("mirrorTraffic") or {}
        if deployment and (self.traffic(endpoint).get(deployment) or mirror.get(deployment)):
            return refused(400, "UserError", f"Deployment {deployment} has traffic and cannot be deleted.")
        found["properties"]["provisioningState"] = "Deleting"
        return self._begun(address, None, 202, Operation(self.polls, self.outcome, place, None))

    def _begun(self, address: str, made: dict[str, Any] | None, status: int, operation: Operation) -> web.Response:
        identity = uuid4().hex
        self.operations[identity] = operation
        headers = {"Retry-After": "0"}
        if self.way != "provisioningState" or made is None:
            name = "Location" if self.way == "Location" else "Azure-AsyncOperation"
            status = 202 if name == "Location" else status
            kind = "results" if name == "Location" else "statuses"
            headers[name] = f"{address}/operations/{kind}/{identity}?api-version=2024-10-01"
        return web.json_response(made, status=status, headers=headers)

    def _act(self, place: str, action: str, body: Any) -> web.Response:
        if self.serving.images and place not in self.resources:
            return refused(404, "ResourceNotFound", f"{place} was not found.")
        if action == "listKeys" and "/" not in place:
            return web.json_response({"primaryKey": self.serving.key, "secondaryKey": "second-key"})
        if action == "token" and "/" not in place:
            self.serving.tokens.add(token := uuid4().hex)
            return web.json_response({"accessToken": token, "expiryTimeUtc": 0, "tokenType": "Bearer"})
        if action == "getLogs" and body.get("containerType") in ("InferenceServer", "StorageInitializer"):
            lines = self.serving.log(place).splitlines() if body["containerType"] == "InferenceServer" else []
            return web.json_response({"content": "\n".join(lines[-int(body.get("tail") or 100) :])})
        return refused(400, "BadRequest", f"{action} is unknown.")

    def _traffic_problem(self, place: str, body: Any) -> str | None:
        if "/deployments/" in place or not isinstance(body, dict):
            return None
        fields = body.get("properties")
        fields = fields if isinstance(fields, dict) else {}
        traffic, mirror = fields.get("traffic") or {}, fields.get("mirrorTraffic") or {}
        if sum(traffic.values()) not in (0, 100):
            return "Traffic values have to sum to 0 or 100."
        if len(mirror) > 1 or sum(mirror.values()) > 50:
            return "Mirror traffic is for one deployment, and 50 percent at most."
        missing = [each for each in {**traffic, **mirror} if f"{place}/deployments/{each}" not in self.resources]
        return f"There is no deployment {missing[0]}." if missing else None

"""Online endpoints and their deployments: made and changed by operations that go on after the answer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal
from uuid import uuid4

from aiohttp import web
from jsonschema import Draft202012Validator

from azure_ml import shapes
from azure_ml.faults import refused

Way = Literal["Azure-AsyncOperation", "Location", "provisioningState"]
Outcome = Literal["Succeeded", "Failed", "Canceled", "stuck"]

NAME = re.compile(r"[a-zA-Z]([-a-zA-Z0-9]{1,30}[a-zA-Z0-9])")


@dataclass
class Operation:
    """Asked about ``polls`` times before it ends as ``outcome``."""

    polls: int
    outcome: Outcome
    resource: dict[str, Any] | None
    delete: str | None = None


class FakeEndpoints:
    """``way``, ``polls`` and ``outcome`` say how the operations go that are begun from now on."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._endpoint = Draft202012Validator(shapes.tracked(shapes.ENDPOINT))
        self._deployment = Draft202012Validator(shapes.tracked(shapes.DEPLOYMENT))
        self.resources: dict[str, dict[str, Any]] = {}
        self.operations: dict[str, Operation] = {}
        self.way: Way = "Azure-AsyncOperation"
        self.polls = 2
        self.outcome: Outcome = "Succeeded"

    def answer(self, method: str, place: str, address: str, body: Any) -> web.Response:
        """``place`` is ``NAME``, ``NAME/deployments/NAME`` or with an action at its end."""
        if method == "GET":
            return self._get(place)
        if method == "PUT":
            return self._put(place, address, body)
        if method == "DELETE":
            return self._delete(place, address)
        if method == "POST" and place.endswith("/listKeys"):
            return web.json_response({"primaryKey": "first-key-of-the-endpoint", "secondaryKey": "second-key"})
        return refused(405, "MethodNotAllowed", "")

    def operation(self, identity: str, *, as_location: bool) -> web.Response:
        operation = self.operations.get(identity)
        if operation is None:
            return refused(404, "NotFound", "")
        running = self._step(operation)
        if as_location:
            return web.Response(status=202) if running else web.json_response(operation.resource or {})
        if running:
            return web.json_response({"id": identity, "status": "InProgress"})
        record: dict[str, Any] = {"id": identity, "status": operation.outcome}
        if operation.outcome != "Succeeded":
            record["error"] = {"code": "ImagePullFailed", "message": "The image cannot be pulled."}
        return web.json_response(record)

    def _step(self, operation: Operation) -> bool:
        """Whether it goes on after one more look."""
        operation.polls -= 1
        if operation.outcome == "stuck" or operation.polls > 0:
            return True
        if operation.resource is not None:
            operation.resource["properties"]["provisioningState"] = operation.outcome
        if operation.delete is not None:
            self.resources.pop(operation.delete, None)
        return False

    def _get(self, place: str) -> web.Response:
        found = self.resources.get(place)
        if found is None:
            return refused(404, "ResourceNotFound", f"{place} was not found.")
        if self.way == "provisioningState":
            for operation in self.operations.values():
                if operation.resource is found:
                    self._step(operation)
        return web.json_response(found)

    def _put(self, place: str, address: str, body: Any) -> web.Response:
        endpoint, _, deployment = place.partition("/deployments/")
        check = self._deployment if deployment else self._endpoint
        problem = next((each.message for each in check.iter_errors(body)), None) or self._traffic_problem(place, body)
        if problem is not None or not NAME.fullmatch(deployment or endpoint):
            return refused(400, "ValidationError", problem or "The name is not valid.")
        if deployment and endpoint not in self.resources:
            return refused(404, "ResourceNotFound", f"{endpoint} was not found.")
        made = self.resources.get(place)
        status = 201 if made is None else 200
        made = made if made is not None else {"id": f"{self._path}/{place}", "name": deployment or endpoint}
        made.update(body)
        made["properties"] = {**body["properties"], "provisioningState": "Creating"}
        self.resources[place] = made
        return self._begun(address, made, status, Operation(self.polls, self.outcome, made))

    def _delete(self, place: str, address: str) -> web.Response:
        if place not in self.resources:
            return web.Response(status=204)
        return self._begun(address, None, 202, Operation(self.polls, self.outcome, None, delete=place))

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

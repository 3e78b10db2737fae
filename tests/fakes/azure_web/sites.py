"""Sites with their slots: what is made, changed, swapped and taken away, and what goes on after the answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import uuid4

from aiohttp import web

from azure_web.apps import App
from azure_web.fronts import Front

Outcome = Literal["Succeeded", "Failed", "stuck"]


@dataclass
class Slot:
    """One slot. What ``config`` has, and settings that are not the slot's own, are exchanged by a swap."""

    name: str | None
    front: Front
    body: dict[str, Any]
    runs: bool
    config: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    logs: dict[str, Any] = field(default_factory=dict)
    app: App | None = None

    def shown(self, path: str, site: Site) -> dict[str, Any]:
        properties = {key: value for key, value in self.body["properties"].items() if key != "siteConfig"}
        properties |= {
            "state": "Running" if self.runs else "Stopped",
            "enabled": self.runs,
            "defaultHostName": self.front.host,
            "hostNames": [self.front.host],
            "siteConfig": None,
            "inProgressOperationId": site.operation.identity if site.operation else None,
        }
        name = site.name if self.name is None else f"{site.name}/{self.name}"
        return {**self.body, "id": path, "name": name, "properties": properties}


@dataclass
class Operation:
    """Something that goes on for ``polls`` more looks, and then is done."""

    identity: str
    polls: int
    outcome: Outcome
    end: Callable[[], None]
    what: str


@dataclass
class Site:
    """A site, its slots and the rules of its production."""

    name: str
    slots: dict[str | None, Slot] = field(default_factory=dict)
    rules: list[dict[str, Any]] = field(default_factory=list)
    sticky: list[str] = field(default_factory=list)
    operation: Operation | None = None
    ended: dict[str, Operation] = field(default_factory=dict)

    def percents(self) -> float:
        """How many percent of the requests go to deployments, as somebody would see it who looks now."""
        production = self.slots.get(None)
        if production is None or not production.runs:
            return 0
        rules = {rule["actionHostName"]: rule["reroutePercentage"] for rule in self.rules}
        held = {each.front.host for each in self.slots.values() if each.settings.get("FLOWYARD_DEPLOYMENT")}
        left = 100 - sum(rules.values()) if production.front.host in held else 0
        return left + sum(percent for host, percent in rules.items() if host in held)

    def begin(self, what: str, polls: int, outcome: Outcome, end: Callable[[], None]) -> str:
        """An operation; nothing else can be changed until it is done."""
        self.operation = Operation(uuid4().hex, polls, outcome, end, what)
        return self.operation.identity

    def step(self) -> None:
        """One more look at the operation that goes on."""
        operation = self.operation
        if operation is None or operation.outcome == "stuck":
            return
        operation.polls -= 1
        if operation.polls <= 0:
            self.operation = None
            self.ended[operation.identity] = operation
            if operation.outcome == "Succeeded":
                operation.end()

    def busy(self) -> web.Response | None:
        """The refusal while something goes on."""
        if self.operation is None:
            return None
        said = f"Cannot modify this site because another operation is in progress. Details: {self.operation.what}"
        return web.json_response({"Code": "Conflict", "Message": said, "error": error("Conflict", said)}, status=409)

    def swap(self, name: str) -> None:
        """Exchange a slot with production; what is a slot's own stays."""
        one, two = self.slots[None], self.slots[name]
        one.config, two.config = two.config, one.config
        one.app, two.app = two.app, one.app
        ours = {key: value for key, value in one.settings.items() if key not in self.sticky}
        theirs = {key: value for key, value in two.settings.items() if key not in self.sticky}
        one.settings = {key: value for key, value in one.settings.items() if key in self.sticky} | theirs
        two.settings = {key: value for key, value in two.settings.items() if key in self.sticky} | ours


def error(code: str, message: str) -> dict[str, str]:
    return {"code": code, "message": message}

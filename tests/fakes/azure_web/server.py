"""The server: App Service's part of the management API, on the base of the stand-in for Azure ML."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from aiohttp import web
from azure_ml.faults import refused
from azure_ml.server import FakeAzure, running_azure
from stand_in import server_context

from azure_web import shapes
from azure_web.answers import WEB, missing, operation, problem, version_of
from azure_web.apps import App, Source, resolved
from azure_web.fronts import Front, Turns
from azure_web.sites import Outcome, Site, Slot

SUBSCRIPTION = "00000000-1111-2222-3333-444444444444"
GROUP = "tests"
_BASE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}"
_PROVIDER = f"{_BASE}/providers/Microsoft.Web"
_SLOTS = {"F": 0, "D": 0, "B": 0, "S": 4, "P": 19, "I": 19}


class FakeWeb(FakeAzure):
    """One resource group. ``images`` says what runs for the digest of an image, ``vault`` what secrets are.

    ``swap_polls`` is how often a swap is looked at before it is done, ``swap_outcome`` how it ends, ``put_polls`` and
    ``put_outcome`` the same of what is made. ``percents_seen`` are all sums of deployments' percents that there were.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self.images: dict[str, Source] = {}
        self.vault: dict[str, str] = {}
        self.plans: dict[str, dict[str, Any]] = {}
        self.sites: dict[str, Site] = {}
        self.swap_polls, self.put_polls = 2, 1
        self.swap_outcome: Outcome = "Succeeded"
        self.put_outcome: Outcome = "Succeeded"
        self.percents_seen: set[float] = set()
        self.clients = {"puller": "client-of-puller"}
        self._turns = Turns()
        self._fronts: list[Front] = []
        self._context: ssl.SSLContext | None = None

    async def close(self) -> None:
        for site in self.sites.values():
            for slot in site.slots.values():
                if slot.app:
                    slot.app.stop()
        for front in self._fronts:
            await front.close()

    def _answer(self, request: web.Request, content: bytes) -> web.Response:
        self.versions = {version_of(request.path)}
        response = super()._answer(request, content)
        self.percents_seen |= {site.percents() for site in self.sites.values()}
        return response

    def _resource(self, request: web.Request, body: Any) -> web.Response:
        path = request.path
        if path == _BASE and request.method == "GET":
            return web.json_response({"id": _BASE, "location": "norwayeast"})
        identities = f"{_BASE}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/"
        if path.startswith(identities):
            client = self.clients.get(path.removeprefix(identities))
            found = {"id": path, "properties": {"clientId": client, "principalId": "p", "tenantId": "t"}}
            return web.json_response(found) if client else missing()
        if not path.startswith(f"{_PROVIDER}/"):
            return super()._resource(request, body)
        kind, name, *rest = path.removeprefix(f"{_PROVIDER}/").split("/")
        if kind == "serverfarms":
            return self._plan(request.method, name, body)
        site = self.sites.get(name)
        if rest[:1] == ["operationresults"]:
            return operation(site, rest[1])
        if site is not None:
            site.step()
        slot_name = rest[1] if rest[:1] == ["slots"] and len(rest) > 1 else None
        rest = rest[2:] if slot_name else rest
        if request.method == "PUT" and not rest:
            return self._put_site(name, slot_name, body)
        if site is None or (slot_name not in site.slots):
            return web.Response(status=204) if request.method == "DELETE" else missing()
        return self._of_slot(request, site, site.slots[slot_name], rest, body)

    def _plan(self, method: str, name: str, body: Any) -> web.Response:
        if method == "PUT":
            if (wrong := problem(shapes.PLAN, body)) is not None:
                return wrong
            self.plans[name] = {**body, "id": f"{_PROVIDER}/serverfarms/{name}", "name": name}
        found = self.plans.get(name)
        return web.json_response(found) if found else missing()

    def _put_site(self, name: str, slot_name: str | None, body: Any) -> web.Response:
        if (wrong := problem(shapes.SITE, body)) is not None:
            return wrong
        plan = self.plans.get(body["properties"]["serverFarmId"].rpartition("/")[2])
        site = self.sites.get(name)
        if plan is None or (slot_name and site is None):
            return missing()
        if site is not None and (busy := site.busy()) is not None:
            return busy
        if slot_name and slot_name not in site.slots and len(site.slots) > _SLOTS[plan["sku"]["name"][0]]:  # type: ignore[union-attr]
            return refused(409, "Conflict", "Cannot complete the operation because the site will exceed the slots.")
        site = site or self.sites.setdefault(name, Site(name))
        polls, outcome = self.put_polls, self.put_outcome
        return self._begun(site, site.begin("Create", polls, outcome, lambda: self._made(site, slot_name, body)))

    def _made(self, site: Site, slot_name: str | None, body: dict[str, Any]) -> None:
        slot = site.slots.get(slot_name)
        if slot is None:
            front = self._front(site, slot_name)
            slot = site.slots[slot_name] = Slot(slot_name, front, body, runs=True)
        slot.body, slot.runs = body, body["properties"]["enabled"]
        config = dict(body["properties"]["siteConfig"])
        slot.settings = {each["name"]: each["value"] for each in config.pop("appSettings")}
        slot.config = config
        self._renew(slot)

    def _front(self, site: Site, slot_name: str | None) -> Front:
        async def handle(request: web.Request, content: bytes) -> web.Response:
            slot = site.slots.get(slot_name)
            if slot is None:
                return web.Response(status=404, text="404 Web Site not found")
            if not slot.runs:
                return web.Response(status=403, text="Error 403 - This web app is stopped.")
            if slot_name is None and request.cookies.get("x-ms-routing-name") != "self":
                slot = self._routed(site, slot)
            if slot.app is None:
                self._renew(slot)
            assert slot.app
            return await slot.app.answer(request, content)

        front = Front(self._tls(), handle)
        self._fronts.append(front)
        return front

    def _routed(self, site: Site, production: Slot) -> Slot:
        percents = {each["actionHostName"]: each["reroutePercentage"] for each in site.rules}
        host = self._turns.choose(percents)
        return next((each for each in site.slots.values() if each.front.host == host), production)

    def _tls(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = server_context(self.ca_file, self.ca_file.with_name("key.pem"))
        return self._context

    def _renew(self, slot: Slot) -> None:
        """A container for what the slot has now, unless it is there already."""
        image = slot.config.get("linuxFxVersion", "").removeprefix("DOCKER|")
        environment = resolved(slot.settings, self.vault)
        if slot.app and (slot.app.image, slot.app.environment) == (image, environment) and not slot.app.gave_up:
            return
        if slot.app:
            slot.app.stop()
        slot.app = App(self.images.get(image.partition("@")[2]), image, environment, self.ca_file.parent)
        if slot.runs:
            slot.app.start()

    def _of_slot(self, request: web.Request, site: Site, slot: Slot, rest: list[str], body: Any) -> web.Response:
        if request.method == "GET" and not rest:
            return web.json_response(slot.shown(request.path, site))
        if request.method == "GET":
            return self._read(request.path, site, slot, rest)
        if rest == ["config", "appsettings", "list"]:
            return web.json_response({"properties": slot.settings})
        if rest == ["containerlogs"]:
            text = slot.app.log() if slot.app else ""
            return (
                web.Response(text=text, content_type="application/octet-stream") if text else web.Response(status=204)
            )
        busy = site.busy()
        return busy if busy is not None else self._change(request, site, slot, rest, body)

    def _read(self, path: str, site: Site, slot: Slot, rest: list[str]) -> web.Response:
        if rest == ["slots"]:
            found = [each.shown(f"{path}/{name}", site) for name, each in site.slots.items() if name]
            return web.json_response({"value": found})
        if rest == ["config", "web"]:
            return web.json_response({"properties": {**slot.config, "experiments": {"rampUpRules": list(site.rules)}}})
        if rest == ["config", "slotConfigNames"]:
            return web.json_response({"properties": {"appSettingNames": site.sticky or None}})
        if rest == ["config", "configreferences", "appsettings"]:
            return web.json_response({"value": self._references(slot.settings)})
        return missing()

    def _references(self, settings: Mapping[str, str]) -> list[dict[str, Any]]:
        values = resolved(settings, self.vault)
        return [
            {"name": name, "properties": {"status": "SecretNotFound" if values[name] == value else "Resolved"}}
            for name, value in settings.items()
            if value.startswith("@Microsoft.KeyVault(")
        ]

    def _change(self, request: web.Request, site: Site, slot: Slot, rest: list[str], body: Any) -> web.Response:
        match (request.method, rest):
            case ("DELETE", []):
                return self._delete(site, slot, request.query)
            case ("POST", ["start" | "stop" | "restart" as action]):
                return self._act(slot, action)
            case ("POST", ["slotsswap"]):
                return self._swap(site, body)
            case ("PUT", ["config", "appsettings"]):
                if (wrong := problem(shapes.SETTINGS, body)) is None:
                    slot.settings = dict(body["properties"])
                    self._renew(slot)
                return wrong or web.json_response(body)
            case ("PUT", ["config", "slotConfigNames"]):
                if (wrong := problem(shapes.SLOT_NAMES, body)) is None:
                    site.sticky = list(body["properties"]["appSettingNames"])
                return wrong or web.json_response(body)
            case ("PUT", ["config", "logs"]):
                if (wrong := problem(shapes.LOGS, body)) is None:
                    slot.logs = body["properties"]
                return wrong or web.json_response(body)
            case ("PATCH", ["config", "web"]):
                return self._rules(site, body)
        return refused(405, "MethodNotAllowed", "")

    def _rules(self, site: Site, body: Any) -> web.Response:
        if (wrong := problem(shapes.RULES, body)) is not None:
            return wrong
        rules = body["properties"]["experiments"]["rampUpRules"]
        hosts = {each.front.host for name, each in site.slots.items() if name}
        if sum(rule["reroutePercentage"] for rule in rules) > 100 or {rule["actionHostName"] for rule in rules} - hosts:
            return refused(400, "BadRequest", "The routing rules are not valid.")
        site.rules = rules
        return web.json_response(body)

    def _act(self, slot: Slot, action: str) -> web.Response:
        slot.runs = action != "stop"
        if slot.app and action != "start":
            slot.app.stop()
        if action == "restart":
            slot.app = None
        if slot.runs:
            self._renew(slot)
            assert slot.app
            slot.app.start()
        return web.Response(status=200)

    def _swap(self, site: Site, body: Any) -> web.Response:
        if (wrong := problem(shapes.SWAP, body)) is not None:
            return wrong
        if body["targetSlot"] not in site.slots:
            return refused(404, "NotFound", "Cannot find the slot.")

        def end() -> None:
            site.swap(body["targetSlot"])
            for slot in (site.slots[None], site.slots[body["targetSlot"]]):
                if slot.runs:
                    self._renew(slot)

        return self._begun(site, site.begin("SwapSiteSlots", self.swap_polls, self.swap_outcome, end))

    def _delete(self, site: Site, slot: Slot, query: Mapping[str, str]) -> web.Response:
        gone = list(site.slots) if slot.name is None else [slot.name]
        for name in gone:
            if (app := site.slots.pop(name).app) is not None:
                app.stop()
        if slot.name is None:
            del self.sites[site.name]
            plan = slot.body["properties"]["serverFarmId"]
            alone = not any(each.slots[None].body["properties"]["serverFarmId"] == plan for each in self.sites.values())
            if query.get("deleteEmptyServerFarm", "true") == "true" and alone:
                self.plans.pop(plan.rpartition("/")[2], None)
        return web.Response(status=200)

    def _begun(self, site: Site, identity: str) -> web.Response:
        place = f"{self.address}{_PROVIDER}/sites/{site.name}/operationresults/{identity}?api-version={WEB}"
        return web.json_response({}, status=202, headers={"Location": place, "Retry-After": "0"})


def running_web(folder: Path) -> AbstractContextManager[FakeWeb]:
    """A server on a port of its own, in a thread, until the context ends."""
    return running_azure(folder, FakeWeb)

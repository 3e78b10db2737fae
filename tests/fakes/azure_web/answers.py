"""What is answered alike in many places: what is missing, what has a wrong form, how an operation goes."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from azure_ml.faults import refused
from jsonschema import Draft202012Validator

from azure_web.sites import Site

WEB = "2024-11-01"
"""The version of App Service's API."""


def operation(site: Site | None, identity: str) -> web.Response:
    if site is None:
        return missing()
    site.step()
    if site.operation is not None and site.operation.identity == identity:
        return web.Response(status=202, headers={"Retry-After": "0"})
    ended = site.ended.get(identity)
    if ended is None:
        return missing()
    if ended.outcome == "Failed":
        return refused(409, "Conflict", f"{ended.what}: the application in the slot did not respond to http ping.")
    return web.json_response({})


def version_of(path: str) -> str:
    if "/Microsoft.Web/" in path:
        return WEB
    return "2023-01-31" if "/Microsoft.ManagedIdentity/" in path else "2021-04-01"


def problem(shape: dict[str, Any], body: Any) -> web.Response | None:
    found = next((each.message for each in Draft202012Validator(shape).iter_errors(body)), None)
    return None if found is None else refused(400, "BadRequest", found)


def missing() -> web.Response:
    return refused(404, "ResourceNotFound", "The resource was not found.")

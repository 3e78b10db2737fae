"""Role assignments at any scope, as Microsoft.Authorization 2022-04-01 has them."""

from __future__ import annotations

import re
from typing import Any

from aiohttp import web

from azure_ml.faults import refused

VERSION = "2022-04-01"
PLACE = re.compile(r"(?P<scope>/.+)/providers/Microsoft\.Authorization/roleAssignments(?:/(?P<name>[0-9a-f-]{36}))?")
ASSIGNED = re.compile(r"assignedTo\('([^']+)'\)")
FIELDS = {"roleDefinitionId", "principalId", "principalType"}


class FakeRoles:
    """``given`` are principals, ids of role definitions and scopes. ``may_give`` False refuses to give any."""

    def __init__(self) -> None:
        self.given: set[tuple[str, str, str]] = set()
        self.may_give = True

    def answer(self, method: str, scope: str, name: str | None, query: Any, body: Any) -> web.Response:
        if method == "GET" and name is None:
            asked = ASSIGNED.fullmatch(query.get("$filter", ""))
            found = [each for each in sorted(self.given) if asked and each[0] == asked[1] and each[2] == scope]
            return web.json_response({"value": [_record(*each) for each in found]})
        if method != "PUT" or name is None or set(body["properties"]) != FIELDS:
            return refused(400, "InvalidRequest", "")
        if not self.may_give:
            message = (
                "The client does not have authorization to perform action "
                f"'Microsoft.Authorization/roleAssignments/write' over scope '{scope}'."
            )
            return refused(403, "AuthorizationFailed", message)
        fields = body["properties"]
        made = (fields["principalId"], fields["roleDefinitionId"].rpartition("/")[2], scope)
        if made in self.given:
            return refused(409, "RoleAssignmentExists", "The role assignment already exists.")
        self.given.add(made)
        return web.json_response(_record(*made), status=201)


def _record(principal: str, definition: str, scope: str) -> dict[str, Any]:
    role = f"/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions/{definition}"
    return {"properties": {"principalId": principal, "roleDefinitionId": role, "scope": scope}}

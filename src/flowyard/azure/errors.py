"""What Azure refused, why, and what to do about it. No message holds a token, a key or the query of a URL."""

from __future__ import annotations

import re

from flowyard._util.printable import printable_text
from flowyard.errors import OutsideError

__all__ = ["AzureConflict", "AzureDenied", "AzureError", "AzureNotFound", "AzureThrottled", "Refusal", "azure_error"]

_LONGEST_REASON = 400
_ACTION = re.compile(r"perform action '(?P<action>[^']+)' (?:over|on) scope '(?P<scope>[^']+)'")
_OBJECT = re.compile(r"object id '(?P<object>[0-9a-fA-F-]{36})'")
_SIGNATURE = re.compile(r"(?i)\b(sig|sv|se|st|skoid|\w*key|\w*token|\w*secret|\w*assertion|password)=[^&;\s\"']+")
_TOKEN = re.compile(r"\beyJ[\w-]{10,}(\.[\w-]*)*")
"""A JSON web token, with or without its signature."""


class AzureError(OutsideError):
    """Azure did not do what it was asked. ``status`` is None when there was no whole answer; ``code`` is Azure's."""

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        status: int | None = None,
        code: str = "",
        request_id: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.code = code
        self.request_id = request_id


class AzureNotFound(AzureError):
    """404: there is no such thing. The only answer that means "not there"."""


class AzureConflict(AzureError):
    """409 or 412: it exists already, was changed meanwhile, or is being changed."""


class AzureDenied(AzureError):
    """401 or 403: not logged in, or the login may not do this. The hint names the role, the scope and the command."""


class AzureThrottled(AzureError):
    """429 or 503, and still so after all the patience that was allowed."""


class Refusal:
    """What a whole answer with an error says: ``status``, Azure's ``code``, its ``reason`` and ``request_id``."""

    def __init__(self, status: int, code: str, reason: str, request_id: str) -> None:
        self.status = status
        self.code = plain_reason(code)
        self.reason = plain_reason(reason)
        self.request_id = plain_reason(request_id)


def plain_reason(text: str) -> str:
    """A service's words for a message of ours: one line, of a bearable length, without what signs a URL."""
    line = " ".join(printable_text(text).split())
    return _TOKEN.sub("******", _SIGNATURE.sub(r"\1=******", line))[:_LONGEST_REASON]


def azure_error(what: str, refusal: Refusal, role: str) -> AzureError:
    """The error for a refusal. ``what`` says what was tried, ``role`` is the role that allows it."""
    code = f" {refusal.code}" if refusal.code else ""
    reason = f": {refusal.reason}" if refusal.reason else ""
    request = f" (request {refusal.request_id})" if refusal.request_id else ""
    kind, hint = _kind_and_hint(refusal, role)
    return kind(
        f"Azure answered {refusal.status}{code} to {what}{reason}{request}",
        hint=hint,
        status=refusal.status,
        code=refusal.code,
        request_id=refusal.request_id,
    )


def _kind_and_hint(refusal: Refusal, role: str) -> tuple[type[AzureError], str]:  # noqa: PLR0911 - a table
    if refusal.status == 404:
        return AzureNotFound, "Check the names in the address; `az resource list` shows what the login can see."
    if refusal.status in (409, 412):
        return AzureConflict, "Somebody changed it at the same time. Run the command again."
    if refusal.status == 401:
        return AzureDenied, (
            "Log in: `az login`, or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET "
            "(or AZURE_FEDERATED_TOKEN_FILE)."
        )
    if refusal.status == 403:
        return AzureDenied, _role_hint(refusal.reason, role)
    if refusal.status in (429, 503):
        return AzureThrottled, "Azure asks for fewer requests. Run the command again in some minutes."
    if refusal.status == 400:
        return AzureError, "The request does not fit what Azure expects; the reason above says which part."
    return AzureError, "Run the command again; https://azure.status.microsoft says whether Azure has an outage."


def _role_hint(reason: str, role: str) -> str:
    action, login = _ACTION.search(reason), _OBJECT.search(reason)
    scope = action["scope"] if action else "SCOPE"
    assignee = login["object"] if login else "LOGIN"
    missing = f"The login may not {action['action']}. " if action else ""
    return (
        f"{missing}Somebody who may give roles can run: "
        f'az role assignment create --assignee {assignee} --role "{role}" --scope {scope}'
    )

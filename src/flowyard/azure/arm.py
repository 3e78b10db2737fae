"""Azure's management API (ARM): reads and writes of resources, and waiting for what Azure carries out afterwards."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from flowyard.azure.cloud import AzureCloud
from flowyard.azure.credentials import TokenProvider
from flowyard.azure.errors import AzureError, AzureNotFound, Refusal, azure_error
from flowyard.azure.http import Answer, AzureHttp, Call, shown
from flowyard.azure.long_running import await_operation

__all__ = ["ArmClient", "ArmReply", "arm_path"]

_MOST_PAGES = 10_000


@dataclass(frozen=True, slots=True)
class ArmReply:
    """What a request came to, with its operation at an end. ``body`` is empty where Azure sends none.

    ``status`` and ``attempts`` are those of the first answer: 201 says that a PUT created something, unless it took
    several attempts, of which an earlier one may have done it.
    """

    status: int
    body: Mapping[str, Any]
    attempts: int


def arm_path(*names: str) -> str:
    """``/name/name/…`` with whatever is special in a name escaped, so that no name leads to another resource.

    Raises AzureError for names that a URL cannot hold.
    """
    for name in names:
        if name in ("", ".", ".."):
            raise AzureError(f"{name!r} is no name of anything in Azure.")
    return "".join(f"/{quote(name, safe='')}" for name in names)


class ArmClient:
    """Talks to one version of one provider's API. ``role`` is the role that allows it, for the hint when denied.

    Paths begin with ``/subscriptions/``. Raises AzureNotFound, AzureConflict, AzureDenied, AzureThrottled, and
    AzureError for all else; each names what was asked for and Azure's request id.
    """

    def __init__(
        self,
        http: AzureHttp,
        cloud: AzureCloud,
        tokens: TokenProvider,
        *,
        api_version: str,
        role: str = "Contributor",
    ) -> None:
        self._http = http
        self._cloud = cloud
        self._tokens = tokens
        self._version = api_version
        self._role = role

    def of_version(self, api_version: str, role: str = "User Access Administrator") -> ArmClient:
        """The same connections and login for another provider, with its version."""
        return ArmClient(self._http, self._cloud, self._tokens, api_version=api_version, role=role)

    async def pause(self, attempt: int) -> None:
        """Wait as long as before another attempt (from 1) at what did not work for a while."""
        await self._http.patience.sleep(self._http.patience.wait_s(attempt, None))

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> Mapping[str, Any]:
        """The resource at a path."""
        return _object(await self._send("GET", self._url(path, query)), path)

    async def settled(self, path: str) -> Mapping[str, Any] | None:
        """The resource once nobody changes it any more, in whatever state that left it; None when it is not there.

        For what an earlier call began, of a process that may have been killed. Raises AzureError when it does not end.
        """
        url = self._url(path)
        answer = await self._send("GET", url, accept_missing=True)
        if answer.status == 404:
            return None
        try:
            body = await await_operation(self._poll, self._http.patience, "PUT", url, answer)
        except AzureNotFound:
            return None
        except AzureError as error:
            if error.code == "OperationTimeout":
                raise
            body = (await self._send("GET", url)).body
        return body if isinstance(body, dict) else None

    async def iter_items(self, path: str, query: Mapping[str, str] | None = None) -> AsyncIterator[Mapping[str, Any]]:
        """The items of a list, of all its pages."""
        url = self._url(path, query)
        for _ in range(_MOST_PAGES):
            page = _object(await self._send("GET", url), path)
            for item in page.get("value") or []:
                yield item
            if not page.get("nextLink"):
                return
            url = str(page["nextLink"])
        raise AzureError(f"The list {path} does not end.")

    async def put(self, path: str, body: Mapping[str, Any], **conditions: str) -> ArmReply:
        """Create or replace; waits until Azure is done. ``conditions``: ``if_match`` or ``if_none_match``."""
        return await self._change("PUT", path, body, conditions)

    async def patch(self, path: str, body: Mapping[str, Any], **conditions: str) -> ArmReply:
        """Change parts; waits until Azure is done."""
        return await self._change("PATCH", path, body, conditions)

    async def delete(self, path: str, query: Mapping[str, str] | None = None) -> ArmReply:
        """Delete; waits until it is gone. What is not there is deleted already."""
        return await self._change("DELETE", path, None, {}, query=query)

    async def post(self, path: str, body: Mapping[str, Any] | None = None, *, repeatable: bool = False) -> ArmReply:
        """Call an action; waits until Azure is done.

        It is sent again after a fault only if it is ``repeatable``: if doing it twice does the same as once.
        """
        return await self._change("POST", path, body if body is not None else {}, {}, repeatable=repeatable)

    async def post_text(self, path: str) -> str:
        """What an action answers that changes nothing and gives text, such as a log; empty when it has none."""
        answer = await self._send("POST", self._url(path), {}, as_json=False)
        return answer.content.decode("utf-8", "replace")

    async def _change(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        conditions: Mapping[str, str],
        *,
        repeatable: bool = True,
        query: Mapping[str, str] | None = None,
    ) -> ArmReply:
        url = self._url(path, query)
        headers = {name.replace("_", "-").title(): value for name, value in conditions.items()}
        first = await self._send(method, url, body, headers, repeatable=repeatable, accept_missing=method == "DELETE")
        if first.status == 404:
            return ArmReply(404, {}, first.attempts)
        result = await await_operation(self._poll, self._http.patience, method, url, first)
        return ArmReply(first.status, result if isinstance(result, dict) else {}, first.attempts)

    async def _poll(self, url: str) -> Answer:
        return await self._send("GET", url)

    def _url(self, path: str, query: Mapping[str, str] | None = None) -> str:
        values = {"api-version": self._version, **(query or {})}
        return f"{self._cloud.management}{path}?{urlencode(values, quote_via=quote, safe='$')}"

    async def _send(
        self,
        method: str,
        url: str,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        repeatable: bool = True,
        accept_missing: bool = False,
        as_json: bool = True,
    ) -> Answer:
        what = f"{method} {urlsplit(url).path}"
        self._require_own(url)
        answer = await self._answer(method, url, what, body, headers or {}, repeatable, as_json, fresh=False)
        if answer.status == 401:  # a token may have been taken back before its time
            answer = await self._answer(method, url, what, body, headers or {}, repeatable, as_json, fresh=True)
        if answer.status < 300 or (accept_missing and answer.status == 404):
            return answer
        raise azure_error(what, _refusal(answer), self._role)

    async def _answer(
        self,
        method: str,
        url: str,
        what: str,
        body: Mapping[str, Any] | None,
        headers: Mapping[str, str],
        repeatable: bool,
        as_json: bool,
        *,
        fresh: bool,
    ) -> Answer:
        token = await self._tokens.token(self._cloud.management_scope, fresh=fresh)
        content = None if body is None else json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
        sent = {"Accept": "application/json" if as_json else "*/*", "Authorization": f"Bearer {token}", **headers}
        if content is not None:
            sent["Content-Type"] = "application/json"
        return await self._http.send(Call(method, url, what, sent, content, repeatable, as_json))

    def _require_own(self, url: str) -> None:
        """A link in an answer gets the token only if it leads to the management API."""
        ours, theirs = urlsplit(self._cloud.management), urlsplit(url)
        own_host = theirs.netloc == ours.netloc or theirs.netloc.endswith(f".{ours.netloc}")
        if theirs.scheme != "https" or not own_host:
            raise AzureError(f"Azure's answer leads to {shown(url)}, which is not its management API.")


def _object(answer: Answer, path: str) -> Mapping[str, Any]:
    if not isinstance(answer.body, dict):
        raise AzureError(f"Azure's answer to GET {path} is no JSON object.", request_id=answer.request_id)
    return answer.body


def _refusal(answer: Answer) -> Refusal:
    body = answer.body if isinstance(answer.body, dict) else {}
    error = body.get("error", body)
    error = error if isinstance(error, dict) else {}
    code, reason = error.get("code") or answer.headers.get("x-ms-error-code", ""), error.get("message") or ""
    return Refusal(answer.status, str(code), str(reason), answer.request_id)

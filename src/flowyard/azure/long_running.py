"""Operations that Azure answers at once and carries out afterwards: asked about until they end.

Azure says where to ask in one of three ways: ``Azure-AsyncOperation`` (a record with ``status``), ``Location`` (202
until it is done), or the resource's own ``provisioningState``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from flowyard._util.retry_after import parse_retry_after
from flowyard.azure.errors import AzureError, plain_reason
from flowyard.azure.http import Answer, shown
from flowyard.azure.patience import Patience

__all__ = ["await_operation"]

_DONE = "succeeded"
_FAILED = frozenset({"failed", "canceled", "cancelled"})

Ask = Callable[[str], Awaitable[Answer]]


async def await_operation(  # noqa: PLR0911 - one for each way of saying that it is done
    ask: Ask, patience: Patience, method: str, url: str, first: Answer
) -> Any:
    """What the operation gave, in the end: the resource, an action's result, or None. ``first`` is its first answer.

    Raises AzureError when it failed, was canceled, or did not end in the time that there is.
    """
    record, location = first.headers.get("Azure-AsyncOperation"), first.headers.get("Location")
    if record:
        await _until(ask, patience, first, record, _state_of_record)
    elif location and first.status in (201, 202):
        last = await _until(ask, patience, first, location, _state_of_location)
        if method in ("POST", "DELETE"):
            return last.body
    elif method == "DELETE":
        return first.body
    elif _state_of_resource(first) != _DONE:
        return (await _until(ask, patience, first, url, _state_of_resource)).body
    else:
        return first.body
    if method == "DELETE":
        return None
    if method == "POST":
        return (await ask(location)).body if location else None
    return (await ask(url)).body


async def _until(ask: Ask, patience: Patience, first: Answer, url: str, state_of: Callable[[Answer], str]) -> Answer:
    """The answer in which the operation is done."""
    start, wait_s, answer, state = patience.clock(), patience.poll_s, first, "accepted"
    while True:
        asked_s = parse_retry_after(answer.headers)
        pause_s = wait_s if asked_s is None else asked_s
        if patience.clock() - start + pause_s > patience.operation_s:
            raise _stuck(url, state, patience.operation_s, first)
        await patience.sleep(pause_s)
        answer = await ask(url)
        state = state_of(answer)
        if state == _DONE:
            return answer
        if state in _FAILED:
            raise _failed(url, state, answer)
        wait_s = min(patience.longest_poll_s, wait_s * 1.5)


def _state_of_record(answer: Answer) -> str:
    status = answer.body.get("status") if isinstance(answer.body, dict) else None
    return str(status).lower() if status else "unknown"


def _state_of_location(answer: Answer) -> str:
    return "inprogress" if answer.status == 202 else _DONE


def _state_of_resource(answer: Answer) -> str:
    """Resources without a state are done when they are answered."""
    properties = answer.body.get("properties") if isinstance(answer.body, dict) else None
    state = properties.get("provisioningState") if isinstance(properties, dict) else None
    return str(state).lower() if state else _DONE


def _stuck(url: str, state: str, after_s: float, first: Answer) -> AzureError:
    return AzureError(
        f"Azure's operation {shown(url)} is still {plain_reason(state)!r} after {after_s / 60:.0f} minutes"
        f"{_request(first)}.",
        hint="It goes on in Azure, and running the command again picks it up. If it never ends, the activity log says "
        "why: az monitor activity-log list --resource-group GROUP --status InProgress",
        code="OperationTimeout",
        request_id=first.request_id,
    )


def _failed(url: str, state: str, answer: Answer) -> AzureError:
    body = answer.body if isinstance(answer.body, dict) else {}
    error = body.get("error")
    error = error if isinstance(error, dict) else {}
    code, reason = plain_reason(str(error.get("code") or "")), plain_reason(str(error.get("message") or ""))
    said = " ".join(part for part in (code, reason) if part) or "it says no reason"
    return AzureError(
        f"Azure's operation {shown(url)} {state}: {said}{_request(answer)}.",
        hint="Mend what the reason names, then run the command again.",
        code=code or state,
        request_id=answer.request_id,
    )


def _request(answer: Answer) -> str:
    return f" (request {plain_reason(answer.request_id)})" if answer.request_id else ""

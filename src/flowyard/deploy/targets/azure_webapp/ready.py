"""Whether a slot answers, and waiting until it does."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from flowyard.azure import AzureCloud, AzureError, open_http
from flowyard.azure.http import Call
from flowyard.azure.patience import Patience
from flowyard.deploy.targets.azure_webapp.web_api import WebApi

__all__ = ["NO_RULES", "answers", "failed_starts", "last_words", "why_not_ready"]

_ONCE = Patience(attempts=1)
_ANSWER_S = 30.0
NO_RULES = {"Cookie": "x-ms-routing-name=self"}
"""Headers with which production answers itself, whatever its rules say."""

_FAILED = ("failing site start", "failed during startup", "image pull failed")
"""What App Service writes into a container's log when it gives a start up."""
_LOOK_AT_LOG = 5
_SHOWN = 12


async def answers(cloud: AzureCloud, address: str) -> bool:
    """Whether ``GET /health`` there is 200, before long; App Service holds requests while a container starts."""
    async with open_http(cloud, _ONCE) as http:
        try:
            async with asyncio.timeout(_ANSWER_S):
                answer = await http.send(Call("GET", f"{address}/health", "GET /health", NO_RULES, as_json=False))
        except (AzureError, TimeoutError):
            return False
    return answer.status == 200


def failed_starts(log: str) -> list[str]:
    """Lines of a log in which App Service says that it gave a start up."""
    return [line for line in log.splitlines() if any(each in line.lower() for each in _FAILED)]


async def why_not_ready(
    api: WebApi, cloud: AzureCloud, slot: str | None, address: str, start_s: float, known: Sequence[str]
) -> str | None:
    """Wait until it answers; None when it does, else what is known of why not.

    ``known`` are failures that its log told before it was started.
    """
    patience, looks = api.patience, 0
    until = patience.clock() + start_s
    while not await answers(cloud, address):
        looks += 1
        if patience.clock() > until:
            return f"It did not answer within {start_s:g} s."
        if looks % _LOOK_AT_LOG == 0:
            new = failed_starts(await api.log(slot))[len(known) :]
            if new:
                return "App Service gave up to start it."
        await patience.sleep(min(patience.poll_s, 5.0))
    return None


async def last_words(api: WebApi, slot: str | None) -> str:
    """The end of a slot's log, and its secrets that cannot be read."""
    lines = (await api.log(slot)).splitlines()[-_SHOWN:]
    for name, status in (await api.unresolved(slot)).items():
        lines.append(f"{name}: its secret cannot be read ({status})")
    return "\n".join(lines)

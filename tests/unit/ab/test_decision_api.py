"""The decision API: how often it looks, what it answers to whom, and what its verdicts are."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from flowyard.ab.decision.decide import DecisionState
from flowyard.ab.decision_api import DecisionApi, verdict_of
from flowyard.ab.ramp import End, RampState
from flowyard.errors import OutsideError

KEY = "the-key"


class Looked:
    """Counts the looks; answers with the number, or with an error."""

    def __init__(self) -> None:
        self.count = 0
        self.error: OutsideError | None = None

    def __call__(self) -> Mapping[str, Any]:
        self.count += 1
        if self.error is not None:
            raise self.error
        return {"look": self.count}


class Served:
    def __init__(self, port: int) -> None:
        self._port = port

    async def ask(self, path: str = "/v1/ab/t/decision", key: str = KEY) -> tuple[int, Any, str | None]:
        def ask() -> tuple[int, Any, str | None]:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
            try:
                connection.request("GET", path, headers={"Authorization": f"Bearer {key}"})
                answer = connection.getresponse()
                return answer.status, json.loads(answer.read()), answer.getheader("retry-after")
            finally:
                connection.close()

        return await asyncio.to_thread(ask)


@asynccontextmanager
async def served(look: Looked, now: list[float]) -> AsyncIterator[Served]:
    api = DecisionApi(KEY, {"t": look}, 15, clock=lambda: now[0])
    _, port = await api.listen("127.0.0.1", 0)
    try:
        yield Served(port)
    finally:
        await api.close()


async def test_an_answer_is_given_to_everybody_as_long_as_it_is_fresh():
    look, now = Looked(), [100.0]
    async with served(look, now) as api:
        answers = await asyncio.gather(*(api.ask() for _ in range(8)))
        assert {body["look"] for _, body, _ in answers} == {1}
        now[0] += 14.9
        assert (await api.ask())[1] == {"look": 1}
        now[0] += 0.1
        assert (await api.ask())[1] == {"look": 2}
    assert look.count == 2


async def test_an_error_is_kept_as_long_and_then_looked_at_again():
    look, now = Looked(), [100.0]
    look.error = OutsideError("The gateway does not answer.", hint="Is it there?")
    async with served(look, now) as api:
        for _ in range(3):
            status, body, _ = await api.ask()
            assert (status, body["error"]["message"]) == (502, "The gateway does not answer. Is it there?")
        assert look.count == 1
        look.error, now[0] = None, 200.0
        assert (await api.ask())[:2] == (200, {"look": 2})


async def test_nobody_is_answered_more_often_than_anybody_needs():
    look, now = Looked(), [100.0]
    async with served(look, now) as api:
        found = [await api.ask() for _ in range(25)]
        assert [status for status, _, _ in found] == [200] * 20 + [429] * 5
        assert found[-1][2] == "1"
        assert (await api.ask(key="wrong"))[0] == 401
        assert (await api.ask("/health"))[0] == 200
        now[0] += 1
        assert (await api.ask())[0] == 200


@pytest.mark.parametrize("state", list(DecisionState))
def test_a_verdict_is_what_was_carried_out(state: DecisionState):
    ends: dict[End, str] = {"promote": "Successful", "rollback": "Failed", "invalid": "Failed", "stopped": "Failed"}
    for end, verdict in ends.items():
        assert verdict_of(RampState(end=end), state) == verdict
    running = "Inconclusive" if state is DecisionState.NEEDS_HUMAN else "Running"
    assert verdict_of(RampState(), state) == running

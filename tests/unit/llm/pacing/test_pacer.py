"""Calls of many tasks at once, in a time that passes only when all of them wait."""

from __future__ import annotations

import asyncio
import random
from bisect import bisect_left
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest
from virtual_time import VirtualTime

from flowyard.abc import Provider
from flowyard.errors import ProviderError
from flowyard.llm.pacing import RateLimit
from flowyard.llm.pacing.breaker import FAILURES_TO_OPEN, PROBE_S
from flowyard.llm.pacing.pacer import Pacer, PacerRules
from flowyard.llm.pacing.retry_budget import FEW, FORGIVEN_EVERY_S
from flowyard.llm.pacing.table import PaceTable
from flowyard.llm.parameters import read_usage
from flowyard.llm.providers.paced import PacedProvider
from flowyard.llm.retry import RetryPolicy
from flowyard.records import ModelReply, ModelRequest, Usage

REQUEST = ModelRequest("chat", "m", {"messages": [{"role": "user", "content": "x" * 400}]})
Behave = Callable[[float, int], ProviderError | None]


def refusal(retry_after_s: float | None = None) -> ProviderError:
    return ProviderError("slow down", status=429, retry_after_s=retry_after_s, retryable=True)


class Wire(Provider):
    """An endpoint that takes a second for an answer; ``behave`` gets the time and the number of the call, from 1."""

    def __init__(self, time: VirtualTime, behave: Behave = lambda now, number: None, seconds: float = 1.0) -> None:
        self.time = time
        self.behave = behave
        self.seconds = seconds
        self.asked: list[float] = []
        self.usage = Usage(1, 100, 10)

    async def call(self, request: ModelRequest) -> ModelReply:
        self.asked.append(self.time.now())
        error = self.behave(self.time.now(), len(self.asked))
        if error is not None:
            raise error
        await self.time.sleep(self.seconds)
        return ModelReply({}, self.usage)

    async def stream(self, request: ModelRequest) -> AsyncIterator[Mapping[str, Any]]:
        reply = await self.call(request)
        yield {"choices": [1]}
        yield {"choices": [], "usage": {"prompt_tokens": reply.usage.prompt_tokens, "completion_tokens": 10}}

    async def close(self) -> None:
        """Nothing is open."""


class World:
    """Providers over one wire; each has a pacer of its own, as in processes of their own, over the same row."""

    def __init__(self, behave: Behave = lambda now, number: None, limit: RateLimit | None = None) -> None:
        self.time = VirtualTime()
        self.wire = Wire(self.time, behave)
        self.limit = limit or RateLimit()
        self.row = PaceTable().row("model")
        self.chance = random.Random(7).random

    def provider(self) -> PacedProvider:
        retry = RetryPolicy(sleep=self.time.sleep, chance=self.chance)
        return PacedProvider(self.wire, Pacer("model", lambda: self.row, self.limit, PacerRules(retry, self.time.now)))

    async def run(self, calls: int, *, workers: int = 1, each: int = 8) -> list[ModelReply | BaseException]:
        """Every worker has ``each`` tasks that take the next call when they are free."""
        left = iter(range(calls))
        results: list[ModelReply | BaseException] = []

        async def work(provider: PacedProvider) -> None:
            for _ in left:
                try:
                    results.append(await provider.call(REQUEST))
                except ProviderError as error:
                    results.append(error)

        providers = [self.provider() for _ in range(workers)]
        await self.time.run(*(work(provider) for provider in providers for _ in range(each)))
        return results

    @property
    def asked(self) -> list[float]:
        return self.wire.asked


def most_in_a_minute(times: list[float]) -> int:
    return max(bisect_left(times, time + 60 - 1e-6) - place for place, time in enumerate(times))


def failures(results: list[ModelReply | BaseException]) -> int:
    return sum(isinstance(result, BaseException) for result in results)


@pytest.mark.parametrize("workers", [1, 3])
async def test_workers_together_keep_to_the_requests_a_minute(workers: int) -> None:
    world = World(limit=RateLimit(rpm=100))
    assert failures(await world.run(400, workers=workers)) == 0
    assert most_in_a_minute(world.asked) <= 100
    assert world.asked[-1] - world.asked[0] <= 1.1 * 4 * 60


async def test_tokens_a_minute_hold_by_what_calls_really_take() -> None:
    world = World(limit=RateLimit(tpm=6000))
    await world.run(200, workers=2)
    per_call = world.wire.usage.total_tokens
    assert most_in_a_minute(world.asked) * per_call <= 6000 * 1.1  # the first guesses are wrong in either direction
    assert world.asked[-1] - world.asked[0] <= 1.15 * 200 * per_call / 6000 * 60


async def test_a_refusal_with_retry_after_holds_everybody_back() -> None:
    world = World(lambda now, number: refusal(20.0) if number == 5 else None)
    results = await world.run(100, workers=3)
    assert failures(results) == 0
    refused_at = world.asked[4]
    assert [time for time in world.asked if refused_at < time < refused_at + 20] == []
    after = {time for time in world.asked if refused_at + 20 <= time < refused_at + 22}
    assert len(after) > 5  # they come back one by one
    assert sum(result.usage.refused_calls for result in results if isinstance(result, ModelReply)) == 1


async def test_one_odd_refusal_holds_nobody_back() -> None:
    world = World(lambda now, number: refusal() if number == 5 else None)
    assert failures(await world.run(48)) == 0
    assert world.asked[-1] - world.asked[0] <= 8


async def test_refusals_in_a_row_hold_everybody_back() -> None:
    world = World(lambda now, number: refusal() if 1002 <= now < 1004 else None)
    assert failures(await world.run(100)) == 0
    assert max(later - earlier for earlier, later in zip(world.asked, world.asked[1:], strict=False)) > 1.0


@pytest.mark.parametrize("each", [9, 12, 24])
async def test_an_endpoint_that_is_at_work_is_not_paused_for_what_is_too_much_at_once(each: int) -> None:
    taken: list[float] = []

    def busy(now: float, number: int) -> ProviderError | None:
        if sum(time > now - 1 for time in taken) >= 8:
            return refusal()
        taken.append(now)
        return None

    world = World(busy)
    assert failures(await world.run(400, each=each)) == 0
    assert taken[360] - taken[0] < 1.2 * 360 / 8  # at the end those are left that were refused again and again


async def test_refused_calls_come_back_as_soon_as_there_is_room() -> None:
    taken: list[float] = []

    def busy(now: float, number: int) -> ProviderError | None:
        if sum(time > now - 1 for time in taken) >= 8:
            return refusal()
        taken.append(now)
        return None

    world = World(busy)
    assert failures(await world.run(11, each=11)) == 0
    assert taken[-1] - taken[0] < 1.3


async def test_who_is_refused_and_nobody_is_answered_fails_after_six_attempts() -> None:
    world = World(lambda now, number: refusal())
    assert failures(await world.run(1, each=1)) == 1
    assert len(world.asked) == 6


async def test_an_endpoint_with_a_hidden_limit_gets_few_requests_too_many() -> None:
    answered: list[float] = []

    def limited(now: float, number: int) -> ProviderError | None:
        if len([time for time in answered if time > now - 10]) >= 20:
            return refusal(10 - (now - answered[-20]))
        answered.append(now)
        return None

    world = World(limited)
    assert failures(await world.run(300, each=16)) == 0
    assert len(world.asked) - 300 <= FEW + 0.1 * 300 + (world.asked[-1] - world.asked[0])


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
async def test_what_will_not_get_better_is_asked_once(status: int) -> None:
    world = World(lambda now, number: ProviderError("no", status=status))
    results = await world.run(40)
    assert (len(world.asked), failures(results)) == (40, 40)


async def test_failures_are_asked_again_within_the_budget_only() -> None:
    world = World(lambda now, number: ProviderError("oops", status=500, retryable=True) if number % 2 else None)
    results = await world.run(400)
    took_s = world.asked[-1] - world.asked[0]
    assert len(world.asked) - 400 <= FEW + 0.1 * 400 + took_s / FORGIVEN_EVERY_S
    assert failures(results) > 0


async def test_waits_between_attempts_grow_and_differ() -> None:
    world = World(lambda now, number: ProviderError("oops", status=500, retryable=True))
    assert failures(await world.run(1, each=1)) == 1
    waits = [later - earlier for earlier, later in zip(world.asked, world.asked[1:], strict=False)]
    assert len(world.asked) == 6
    assert all(0 <= wait <= 2.0**place for place, wait in enumerate(waits))
    assert len(set(waits)) == 5


async def test_a_dead_endpoint_is_probed_and_not_stormed() -> None:
    down = ProviderError("down", retryable=True)
    world = World(lambda now, number: down if 1020 < now < 1080 else None)
    assert failures(await world.run(2000, workers=2, each=16)) == 0
    during = [time for time in world.asked if 1020 < time < 1080]
    assert len(during) <= 32 + FAILURES_TO_OPEN + 8  # under way when it went down, then probes: 1, 2, 4 … s apart


async def test_nobody_waits_for_an_endpoint_that_stays_dead() -> None:
    world = World(lambda now, number: ProviderError("down", retryable=True))
    results = await world.run(500, workers=2, each=16)
    assert failures(results) == 500
    assert "has been failing" in str(results[-1])
    assert world.time.now() < 1000 + 120
    assert len(world.asked) < 120


async def test_a_wrong_address_fails_at_once() -> None:
    world = World(lambda now, number: ProviderError("no such host", retryable=False))
    assert failures(await world.run(100)) == 100
    assert world.time.now() == 1000


async def test_a_canceled_probe_makes_room_for_the_next() -> None:
    world = World(lambda now, number: ProviderError("down", retryable=True) if number <= FAILURES_TO_OPEN else None)
    provider = world.provider()
    pacer: Any = provider._pacer
    for _ in range(FAILURES_TO_OPEN):
        pacer.failed(await pacer.admit(), ProviderError("down", retryable=True), 1)
    world.wire.behave = lambda now, number: None
    world.time.time += 1.5
    world.wire.seconds = 1e9
    probing = asyncio.ensure_future(provider.call(REQUEST))
    for _ in range(10):
        await asyncio.sleep(0)
    probing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probing
    world.wire.seconds = 1.0
    assert failures(await world.run(3)) == 0
    assert world.asked[1] == world.asked[0]


async def test_a_lost_probe_expires() -> None:
    world = World()
    await world.run(1)
    pacer: Any = world.provider()._pacer
    for _ in range(FAILURES_TO_OPEN):
        pacer.failed(await pacer.admit(), ProviderError("down", retryable=True), 1)
    world.time.time += 1.5
    lost = await pacer.admit()  # its process is killed and says nothing more
    assert lost.probe
    assert failures(await world.run(3)) == 0
    assert PROBE_S - 1 < world.asked[1] - 1002.5 < PROBE_S + 1


async def test_streams_are_asked_again_before_their_first_chunk() -> None:
    world = World(lambda now, number: refusal(3.0) if number == 1 else None, RateLimit(rpm=600, tpm=60_000))
    provider = world.provider()

    async def collect() -> list[Any]:
        return [chunk async for chunk in provider.stream(REQUEST)]

    (chunks,) = await world.time.run(collect())
    assert isinstance(chunks, list)
    assert read_usage(chunks[-1]) == Usage(1, 100, 10, refused_calls=1)
    assert world.asked[1] - world.asked[0] >= 3.0

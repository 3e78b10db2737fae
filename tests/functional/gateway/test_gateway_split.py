"""Who gets what over real connections: in each epoch the right share, and after a restart the same arm."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from gateway_helper import Gate, behind, exposures, gateway

from flowyard.wire import Place, Request, WireClient


async def arms_of(gate: Gate, client: WireClient, users: Iterable[str], at_once: int = 16) -> dict[str, str]:
    """Which arm each user gets; every answer must be 200."""
    parts, left, found = urlsplit(gate.url), iter(users), dict[str, str]()
    place = Place(str(parts.hostname), parts.port or 0)

    async def keep_asking() -> None:
        for user in left:
            headers = {"host": "x", "x-user-id": user, "x-request-id": user}
            answer = await client.forward(place, Request("POST", "/score", "", headers, b"{}"))
            assert answer.status == 200
            found[user] = answer.headers["x-flowyard-arm"]

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(keep_asking())
    return found


def asked(gate: Gate, users: Iterable[str]) -> dict[str, str]:
    async def ask() -> dict[str, str]:
        client = WireClient()
        try:
            return await arms_of(gate, client, users)
        finally:
            await client.close()

    return asyncio.run(ask())


def test_each_epoch_has_the_share_of_its_weights(tmp_path: Path):
    """While others ask without a pause; who is counted is the same in each run, so that the share cannot differ."""
    changes, users = 30, 100
    shares = [number * 37 % 99 + 1 for number in range(changes)]

    async def change(gate: Gate) -> None:
        client, done = WireClient(), asyncio.Event()

        async def others() -> None:
            count = 0
            while not done.is_set():
                count += 1
                await arms_of(gate, client, [f"other-{count}-{number}" for number in range(8)], at_once=4)

        async with asyncio.TaskGroup() as group:
            group.create_task(others())
            for number, share in enumerate(shares):
                assert await asyncio.to_thread(gate.weigh, a=100 - share, b=share) == number + 2
                await arms_of(gate, client, [f"counted-{number}-{user}" for user in range(users)], at_once=4)
            done.set()
        await client.close()

    with behind("a", "b") as (a, b), gateway(tmp_path, {"a": a, "b": b}) as gate:
        asyncio.run(change(gate))
        gate.stop()
    noted = exposures(tmp_path)
    assert {each["status"] for each in noted} == {200}
    counted = [each for each in noted if each["request_id"].startswith("counted-")]
    assert Counter(each["epoch"] for each in counted) == dict.fromkeys(range(2, changes + 2), users)
    treated = Counter(each["epoch"] for each in counted if each["assigned"] == "b")
    for epoch, share in enumerate((share / 100 for share in shares), 2):
        assert abs(treated[epoch] - users * share) <= 4 * math.sqrt(users * share * (1 - share)), epoch


def test_users_keep_their_arm_over_restarts_and_move_one_way_only(tmp_path: Path):
    users = [f"user-{number}" for number in range(2000)]
    with behind("a", "b") as (a, b):
        with gateway(tmp_path, {"a": a, "b": b}, salt=None) as gate:
            before = asked(gate, users)
            gate.process.kill()
            gate.process.wait(60)
        with gateway(tmp_path, {"a": a, "b": b}, salt=None) as gate:
            assert asked(gate, users) == before
            gate.weigh(a=80, b=20)
            gate.stop()
        with gateway(tmp_path, {"a": a, "b": b}, salt=None) as gate:
            after = asked(gate, users)
            gate.stop()
    moves = Counter((before[user], after[user]) for user in users)
    assert moves["b", "a"] == 0
    assert 120 < moves["a", "b"] < 280, "six standard deviations, as the salt is a random one"

"""Asking backends whether they are well."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable

from flowyard.gateway.arm import Arm
from flowyard.gateway.settings import HealthSettings
from flowyard.wire import BadAnswer, BrokenOff, Request, Unanswered, WireClient

__all__ = ["HealthChecks"]


class HealthChecks:
    """One task for each backend. A backend is well until checks say otherwise."""

    def __init__(self, settings: HealthSettings, arms: Iterable[Arm], client: WireClient) -> None:
        self._settings = settings
        self._arms = tuple(arms)
        self._client = client
        self._tasks: list[asyncio.Task[None]] = []

    def begin(self) -> None:
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._watch(arm)) for arm in self._arms]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.close()

    async def _watch(self, arm: Arm) -> None:
        failures = 0
        while True:
            if await self._is_well(arm):
                failures, arm.is_healthy = 0, True
            else:
                failures += 1
                if failures >= self._settings.failures:
                    arm.is_healthy = False
            await asyncio.sleep(self._settings.every_s)

    async def _is_well(self, arm: Arm) -> bool:
        backend = arm.backend
        headers = {"host": backend.authority}
        if backend.key is not None:
            headers["authorization"] = f"Bearer {backend.key}"
        request = Request("GET", f"{backend.prefix}{self._settings.path}", "", headers)
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                response = await self._client.forward(backend.place, request)
                if not isinstance(response.body, bytes):
                    async with contextlib.aclosing(response.body) as pieces:
                        async for _ in pieces:
                            pass
        except (Unanswered, BadAnswer, BrokenOff, TimeoutError) as error:
            arm.last_failure = f"GET {self._settings.path}: {error or 'no answer in time'}"
            return False
        if 200 <= response.status < 300:
            return True
        arm.last_failure = f"GET {self._settings.path}: {response.status}"
        return False

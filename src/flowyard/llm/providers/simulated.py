"""The simulated model inside this process: no server, no network, the same answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from flowyard._util.retry_after import parse_retry_after
from flowyard.abc import Provider
from flowyard.errors import ProviderError, UserError
from flowyard.llm.parameters import read_usage
from flowyard.llm.retry import RetryPolicy, call_with_retries, is_retryable
from flowyard.records import ModelReply, ModelRequest
from flowyard.simulation.rules import load_rules
from flowyard.simulation.simulator import Simulator
from flowyard.simulation.wire import Answer, chunks

__all__ = ["SimulatedProvider", "shared_simulator"]

_RETRY = RetryPolicy(first_wait_s=0.05, longest_wait_s=5.0)


class _RulesAndSeed(Protocol):
    @property
    def rules(self) -> Any: ...

    @property
    def seed(self) -> Any: ...


class SimulatedProvider(Provider):
    """Answers by the rules file that the connection names. Raises UserError when that file is wrong."""

    def __init__(self, connection: _RulesAndSeed, *, retry: RetryPolicy | None = None) -> None:
        self._simulator = shared_simulator(connection.rules, _parse_seed(connection.seed))
        self._retry = retry or _RETRY

    async def call(self, request: ModelRequest) -> ModelReply:
        answer, attempts = await call_with_retries(self._retry, lambda: self._ask(request, whole=True))
        return ModelReply(answer.body, read_usage(answer.body, simulated=True), attempts)

    async def stream(self, request: ModelRequest) -> AsyncIterator[Mapping[str, Any]]:
        answer, _ = await call_with_retries(self._retry, lambda: self._ask(request, whole=False))
        for chunk in chunks(answer):
            yield {**chunk, "flowyard_simulated": True}
        if answer.cut_off:
            raise _cut_off()

    async def close(self) -> None:
        """Nothing is open."""

    async def _ask(self, request: ModelRequest, *, whole: bool) -> Answer:
        answer = self._simulator.answer(request.operation, {**request.body, "model": request.model})
        if request.timeout_s is not None and answer.latency_s > request.timeout_s:
            await asyncio.sleep(request.timeout_s)
            raise ProviderError("The simulated model did not answer in time.", retryable=True)
        await asyncio.sleep(answer.latency_s)
        if answer.status != 200:
            raise _refused(answer, self._simulator.rules.path)
        if answer.cut_off and whole:
            raise _cut_off()
        return answer


def shared_simulator(rules: Path | str, seed: int | None = None) -> Simulator:
    """The one simulator of this process for a rules file as it is now and a seed. Raises UserError."""
    path = Path(rules).expanduser().resolve()
    try:
        changed_ns = path.stat().st_mtime_ns
    except OSError as error:
        raise UserError(f"Cannot read the rules file {path}: {error.strerror}.") from None
    return _load_simulator(path, changed_ns, seed)


@lru_cache(maxsize=32)
def _load_simulator(path: Path, _changed_ns: int, seed: int | None) -> Simulator:
    return Simulator(load_rules(path, seed))


def _parse_seed(seed: Any) -> int | None:
    try:
        return None if seed is None or seed == "" else int(seed)
    except (TypeError, ValueError):
        raise UserError(f"The seed of a simulated connection must be a whole number, not {seed!r}.") from None


def _refused(answer: Answer, rules: Path) -> ProviderError:
    error = answer.body["error"]
    return ProviderError(
        f"The simulated model answered {answer.status}: {error['message']}",
        status=answer.status,
        retry_after_s=parse_retry_after(answer.headers),
        retryable=is_retryable(answer.status, error["code"]),
        hint=f"The rules are in {rules}." if answer.status == 400 else None,
    )


def _cut_off() -> ProviderError:
    return ProviderError("The simulated model's answer was cut off.", retryable=True)

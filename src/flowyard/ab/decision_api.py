"""The decision of tests over REST, for other programs that carry on deployments. It only looks, and sets nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any
from urllib.parse import quote

from flowyard._util.files import dump_json
from flowyard._util.shared_work import SharedWork
from flowyard.ab.decision.decide import DecisionState
from flowyard.ab.promotion import decision_view
from flowyard.ab.ramp import RampState
from flowyard.ab.run import Test
from flowyard.errors import FlowyardError
from flowyard.gateway.access import require_key
from flowyard.wire import Refusal, Request, Response, Route, Routes, WireLimits, WireServer, refused

__all__ = ["DecisionApi", "decision_answer", "verdict_of"]

_MOST_A_SECOND = 20
_BODY_BYTES = 1024
_CONNECTIONS = 64


class DecisionApi:
    """``GET /v1/ab/EXPERIMENT/decision`` for each of ``looks``, which take as long as they take, one after the other.

    What a look found is given to everybody for ``fresh_s`` seconds, an error too, so that asking often costs nothing.
    """

    def __init__(
        self,
        key: str,
        looks: Mapping[str, Callable[[], Mapping[str, Any]]],
        fresh_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._key = key
        self._clock = clock
        self._worker = ThreadPoolExecutor(1, "decisions")
        self._second = (0, 0)
        decisions = [Route("GET", "/health", _health, is_open=True)]
        for experiment, look in looks.items():
            kept = _Kept(look, self._worker, fresh_s, clock)
            decisions.append(Route("GET", f"/v1/ab/{quote(experiment, safe='')}/decision", kept.answer))
        self.routes = Routes(decisions)
        limits = WireLimits(body_bytes=_BODY_BYTES, connections=_CONNECTIONS)
        self._server = WireServer(self._handle, refused, limits, before_body=self._before_body)

    async def listen(self, host: str, port: int) -> tuple[str, int]:
        """Begin; gives the address. Raises OSError."""
        return await self._server.listen(host, port)

    async def close(self) -> None:
        """End; a look that goes on is waited for."""
        await self._server.drain(1.0)
        await asyncio.to_thread(self._worker.shutdown, cancel_futures=True)

    async def _handle(self, request: Request) -> Response:
        try:
            route = self._route(request)
            if not route.is_open:
                self._count()
            return await route.handler(request)
        except Refusal as refusal:
            return refused(refusal)
        except FlowyardError as error:
            text = f"{error.message} {error.hint}" if error.hint else error.message
            return refused(Refusal(error.http_status, text))

    def _route(self, request: Request) -> Route:
        """The route, for who has the key; others learn of none but the open one."""
        is_open = any(route.is_open and route.path == request.path for route in self.routes)
        if not is_open:
            require_key(request, self._key)
        return self.routes.find(request)

    def _before_body(self, request: Request) -> Response | None:
        try:
            self._route(request)
        except Refusal as refusal:
            return refused(refusal)
        return None

    def _count(self) -> None:
        """Raises Refusal for more requests in this second than anybody needs."""
        now = int(self._clock())
        self._second = (now, self._second[1] + 1 if self._second[0] == now else 1)
        if self._second[1] > _MOST_A_SECOND:
            raise Refusal(429, f"At most {_MOST_A_SECOND} requests a second are answered.", retry_after_s=1)


class _Kept:
    """The last look of one test."""

    def __init__(
        self,
        look: Callable[[], Mapping[str, Any]],
        worker: ThreadPoolExecutor,
        fresh_s: float,
        clock: Callable[[], float],
    ) -> None:
        self._look, self._fresh_s, self._clock = look, fresh_s, clock
        self._shared = SharedWork(self._looked, worker)
        self._last: tuple[float, Mapping[str, Any] | FlowyardError] | None = None

    async def answer(self, _request: Request) -> Response:
        """What is known. Raises FlowyardError as the look did."""
        last = self._last
        if last is None or self._clock() - last[0] >= self._fresh_s:
            last = await self._shared.result()
        if isinstance(last[1], FlowyardError):
            raise last[1]
        return Response(200, dump_json(last[1]).encode(), headers={"cache-control": "no-store"})

    def _looked(self) -> tuple[float, Mapping[str, Any] | FlowyardError]:
        """Look, and keep what was found: also for those who ask after whoever began it has gone away."""
        try:
            found: Mapping[str, Any] | FlowyardError = self._look()
        except FlowyardError as error:
            found = error
        self._last = (self._clock(), found)
        return self._last


async def _health(_request: Request) -> Response:
    return Response(200, b'{"status": "healthy"}')


def verdict_of(ramp: RampState, state: DecisionState) -> str:
    """What came of a test, in the words of Argo Rollouts: what was carried out, not what should be.

    Whoever takes away the treatment on a ``Failed`` takes nothing that still gets requests.
    """
    if ramp.end is not None:
        return "Successful" if ramp.end == "promote" else "Failed"
    return "Inconclusive" if state is DecisionState.NEEDS_HUMAN else "Running"


def decision_answer(test: Test) -> dict[str, Any]:
    """A look at a test as the API gives it: the names in it are a contract."""
    tick = test.look()
    decision, splits = tick.decision, test.splitter.splits()
    standing = tick.standing if test.policy.decide == "approval" else None
    counts = {
        arm: {
            "requests": sum(getattr(each, arm).requests for each in decision.epochs),
            "units": sum(getattr(each, arm).units for each in decision.epochs),
            "outcomes": sum(getattr(each, arm).values for each in decision.epochs),
        }
        for arm in ("control", "treatment")
    }
    return {
        "name": test.policy.name,
        "experiment": test.policy.experiment,
        "looked_at": test.clock().isoformat(),
        "verdict": verdict_of(tick.ramp, decision.state),
        "end": tick.ramp.end,
        "share": tick.ramp.share,
        "epoch": splits[-1].epoch if splits else None,
        "weights": dict(test.splitter.weights()),
        "counts": counts,
        "approval": asdict(standing) if standing else None,
        **decision_view(decision),
    }

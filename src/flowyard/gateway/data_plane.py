"""What each request goes through: a unit, an arm, a backend, and its answer piece by piece."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncGenerator, Iterator, Mapping

from flowyard.gateway.access import overridden_arm, require_key
from flowyard.gateway.arm import ARM_HEADER, Arm
from flowyard.gateway.asked import Asked, note_request
from flowyard.gateway.counted import asks_the_flow
from flowyard.gateway.epochs import Epoch
from flowyard.gateway.exposures import Exposures
from flowyard.gateway.mirror import Mirror
from flowyard.gateway.outgoing import Outgoing
from flowyard.gateway.settings import GatewaySettings
from flowyard.gateway.split import UnitHash, others
from flowyard.wire import BadAnswer, BrokenOff, Refusal, Request, Response, Unanswered, WireClient, refused

__all__ = ["DataPlane"]

_GONE = 499
_FAILING = frozenset({502, 503, 504})
"""Statuses by which a backend says that it cannot answer now; others say something of the request or the flow."""


class DataPlane:
    """Hands each request to one backend. ``epoch`` is replaced whole; a request keeps the one that it began in."""

    def __init__(
        self,
        settings: GatewaySettings,
        arms: Mapping[str, Arm],
        epoch: Epoch,
        hashes: UnitHash,
        exposures: Exposures,
        mirror: Mirror | None,
        client: WireClient,
        outgoing: Outgoing,
    ) -> None:
        self.epoch = epoch
        self.under_way = 0
        self._settings = settings
        self._arms = arms
        self._hashes = hashes
        self._exposures = exposures
        self._mirror = mirror
        self._client = client
        self._outgoing = outgoing
        self._clock = time.monotonic
        self._most_under_way = settings.limits.at_once
        self._health_path = settings.health.path if settings.health is not None else "/health"

    async def handle(self, request: Request) -> Response:
        """The answer; whatever fails is one, too."""
        known = request.known
        asked = known if isinstance(known, Asked) else note_request(request, self._settings.sticky, self._clock())
        return await self._handled(request, asked)

    def own_arm(self, asked: Asked) -> Arm:
        """The arm of a request's unit, at this moment."""
        hashes, epoch, unit = self._hashes, self.epoch, asked.unit
        name = epoch.line.arms[hashes.slot(unit) if asked.unit_from == "request" else hashes.slots[unit]]
        asked.epoch, asked.arm, asked.assigned = epoch.number, name, name
        return self._arms[name]

    def has_room(self) -> bool:
        return self.under_way < self._most_under_way

    def enter(self, arm: Arm, now: float) -> int:
        ticket = arm.enter(now)
        if ticket:
            arm.under_way += 1
            self.under_way += 1
        return ticket

    def ended(self, status: int, asked: Asked, arm: Arm, ticket: int) -> None:
        # What an answer says of its backend, and that it is over: one function for both, because each request pays.
        if status in _FAILING:
            self._failed(arm, ticket)
        else:
            arm.breaker.succeeded(ticket)
        arm.under_way -= 1
        self.under_way -= 1
        latency_s = self._clock() - asked.began
        arm.ended(status, latency_s)
        self._exposures.ended(asked, arm.name, arm.backend.version, status, latency_s)

    def answered(self, response: Response, asked: Asked, arm: Arm, ticket: int) -> Response:
        return self._named(self._begun(response, asked, arm, ticket), asked)

    def broken(self, error: Exception, asked: Asked, arm: Arm, ticket: int) -> Response:
        status = 504 if isinstance(error, Unanswered) and error.is_late else 502
        self._failed(arm, ticket)
        arm.last_failure = str(error)
        self._end(arm)
        self._note(asked, arm, status)
        return self._named(refused(_no_answer(arm, status)), asked)

    def left(self, asked: Asked, arm: Arm, ticket: int, *, is_over: bool) -> None:
        arm.breaker.left(ticket)
        self._end(arm)
        if is_over:
            self._note(asked, arm, _GONE)

    async def again(self, request: Request, asked: Asked) -> Response:
        return await self._handled(request, asked, is_copied=True)

    async def _handled(self, request: Request, asked: Asked, *, is_copied: bool = False) -> Response:
        try:
            arms = self._candidates(request, asked)
            response = await self._counted(request, asked, arms, is_copied=is_copied)
        except Refusal as refusal:
            response = refused(refusal)
        return self._named(response, asked)

    def _named(self, response: Response, asked: Asked) -> Response:
        headers = response.headers
        headers["x-request-id"] = asked.request_id
        if asked.arm:
            headers[ARM_HEADER] = asked.arm
        if asked.session:
            response.cookies += (f"{self._settings.sticky.session}={asked.session}; Path=/; HttpOnly; SameSite=Lax",)
        return response

    def before_body(self, request: Request) -> Response | None:
        """The answer to a request whose body is still to come, if that is no already."""
        try:
            self._require_room(request)
        except Refusal as refusal:
            return refused(refusal)
        return None

    def _require_room(self, request: Request) -> None:
        if self._settings.key is not None:
            require_key(request, self._settings.key)
        if not self.has_room():
            raise Refusal(503, "Too many requests are under way.", retry_after_s=1)

    def _candidates(self, request: Request, asked: Asked) -> Iterator[Arm]:
        """The arms to try, the unit's own first. Raises Refusal for who may not ask."""
        self._require_room(request)
        override = self._settings.override
        wanted = overridden_arm(request, asked, override) if override is not None else None
        if wanted is not None and wanted not in self._arms:
            raise Refusal(400, "There is no backend of that name.")
        epoch = self.epoch
        asked.is_counted = asks_the_flow(request, self._health_path)
        if wanted is not None:
            asked.epoch, asked.chosen_by, asked.arm, asked.assigned = epoch.number, "override", wanted, wanted
            return iter((self._arms[wanted],))
        return self._by_weight(self.own_arm(asked), epoch, asked.unit)

    def _by_weight(self, own: Arm, epoch: Epoch, unit: str) -> Iterator[Arm]:
        yield own
        weighted = [name for name, weight in epoch.weights.items() if weight and name != own.name]
        yield from (self._arms[name] for name in others(weighted, epoch.weights, self._hashes.point(unit)))

    async def _counted(self, request: Request, asked: Asked, arms: Iterator[Arm], *, is_copied: bool) -> Response:
        """What the first arm answers that can; at most ``retries`` more are tried where nothing was begun."""
        left, tried = self._settings.retries + 1, None
        for arm in arms:
            ticket = self.enter(arm, self._clock())
            if not ticket:
                continue
            if tried is None and self._mirror is not None and not is_copied:
                self._mirror.offer(request, asked, arm.name)
            if arm.name != asked.arm:
                asked.arm, asked.chosen_by = arm.name, "fallback"
                asked.assigned_version = self._arms[asked.assigned].backend.version
            left, tried = left - 1, arm
            response = await self._asked(request, asked, arm, ticket)
            if response is not None:
                return response
            if not left:
                break
        self._note(asked, tried or self._arms[asked.arm], 503)
        raise Refusal(503, "No backend can answer now.", retry_after_s=self._retry_after_s())

    async def _asked(self, request: Request, asked: Asked, arm: Arm, ticket: int) -> Response | None:
        """What one backend answers; None when it has begun nothing."""
        response, status = None, _GONE
        try:
            data = self._outgoing.data(request, asked, arm.backend)
            response = await self._client.send(arm.backend.place, request.method, data)
            status = response.status
        except Unanswered as error:
            self._failed(arm, ticket)
            arm.last_failure = str(error)
            status = 0 if error.is_untouched else 504 if error.is_late else 502
        except BadAnswer:
            self._failed(arm, ticket)
            status = 502
        except BaseException:
            arm.breaker.left(ticket)
            raise
        finally:
            if response is None:
                self._end(arm)
                if status:
                    self._note(asked, arm, status)
        if response is None:
            if not status:
                return None
            raise _no_answer(arm, status)
        return self._begun(response, asked, arm, ticket)

    def _begun(self, response: Response, asked: Asked, arm: Arm, ticket: int) -> Response:
        """An answer whose head is here."""
        if isinstance(response.body, bytes):
            self.ended(response.status, asked, arm, ticket)
        else:
            if response.status in _FAILING:
                self._failed(arm, ticket)
            else:
                arm.breaker.succeeded(ticket)
            response.body = self._pieces(response.body, response.status, asked, arm, ticket)
        return response

    async def _pieces(
        self, pieces: AsyncGenerator[bytes, None], status: int, asked: Asked, arm: Arm, ticket: int
    ) -> AsyncGenerator[bytes, None]:
        ended = _GONE
        try:
            async for piece in pieces:
                if asked.first_piece_s is None:
                    asked.first_piece_s = round(self._clock() - asked.began, 6)
                yield piece
            ended = status
        except BrokenOff:
            ended = 502
            self._failed(arm, ticket)
            raise
        finally:
            self._end(arm)
            self._note(asked, arm, ended)
            await pieces.aclose()

    def _end(self, arm: Arm) -> None:
        arm.under_way -= 1
        self.under_way -= 1

    def _failed(self, arm: Arm, ticket: int) -> None:
        arm.breaker.failed(ticket, self._clock())

    def _note(self, asked: Asked, arm: Arm, status: int) -> None:
        """The request is over."""
        latency_s = self._clock() - asked.began
        arm.ended(status, latency_s)
        self._exposures.ended(asked, arm.name, arm.backend.version, status, latency_s)

    def _retry_after_s(self) -> int:
        health = self._settings.health
        return max(1, math.ceil(min(self._settings.breaker.open_s, health.every_s if health else math.inf)))


def _no_answer(arm: Arm, status: int) -> Refusal:
    return Refusal(status, f"The backend {arm.name} gave no proper answer.", retry_after_s=1)

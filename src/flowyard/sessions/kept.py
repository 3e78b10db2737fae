"""Sessions that wait for the next run of the same flow: it is prepared once, however often it runs."""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from flowyard.flows.model import Flow
from flowyard.records import AggregationResult, LineTask, Usage
from flowyard.sessions.local import SessionOpener
from flowyard.sessions.session import Concurrency, LineSink, Place, Session, SessionRequest, StoredLines

__all__ = ["KeptSessions"]

_MOST = 12
"""How many sessions wait at most: each has a process or more, with all that its flow loaded.

An experiment comes back to each of its versions with the next dataset.
"""


class KeptSessions:
    """Opens sessions, and keeps those that are closed for a request that asks the same. Close it when done."""

    def __init__(self, open_session: SessionOpener) -> None:
        self._open = open_session
        self._waiting: dict[bytes, Session] = {}
        self._uses: Counter[bytes | None] = Counter()

    def __call__(self, request: SessionRequest) -> Session:
        """A session for the request, new or used before."""
        key = _key(request)
        self._uses[key] += 1
        session = self._waiting.pop(key, None) if key is not None else None
        return _Kept(session or self._open(request), self, key)

    async def take_back(self, session: Session, key: bytes) -> None:
        """Keep a session that nobody uses now; when there are too many, one of those that were asked for least goes.

        Of these the one that came back last: versions take turns in the order of a plan, and were the one that waits
        longest to go, no one would be there when its turn comes.
        """
        await self._close(self._waiting.pop(key, None))
        self._waiting[key] = session
        if len(self._waiting) > _MOST:
            least = min(reversed(self._waiting), key=self._uses.__getitem__)
            await self._close(self._waiting.pop(least))

    async def close(self) -> None:
        """Close all that wait."""
        while self._waiting:
            await self._close(self._waiting.popitem()[1])

    async def _close(self, session: Session | None) -> None:
        if session is not None:
            await session.close()


def _key(request: SessionRequest) -> bytes | None:
    """The same for requests that ask the same; None for what cannot be told."""
    try:
        return pickle.dumps(
            (replace(request.flow, keep=None), request.init, request.most_at_once, request.line_timeout_s)
        )
    except Exception:  # init values may be any objects
        return None


class _Kept(Session):
    """A session that goes back where it came from when it is closed, unless something went wrong in it."""

    def __init__(self, session: Session, home: KeptSessions, key: bytes | None) -> None:
        self._session = session
        self._home = home
        self._key = key
        self._is_sound = False
        self._is_closed = False

    async def ready(self) -> Flow:
        flow = await self._session.ready()
        self._is_sound = True
        return flow

    @property
    def warnings(self) -> tuple[str, ...]:
        return self._session.warnings

    async def run_lines(
        self, tasks: Iterator[LineTask], sink: LineSink, *, place: Place, concurrency: Concurrency
    ) -> None:
        self._is_sound = False
        await self._session.run_lines(tasks, sink, place=place, concurrency=concurrency)

    async def run_aggregation(self, stored: StoredLines) -> AggregationResult:
        return await self._session.run_aggregation(stored)

    async def last_words(self) -> tuple[Usage, tuple[str, ...]]:
        said = await self._session.last_words()
        self._is_sound = True
        return said

    async def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        if self._is_sound and self._key is not None:
            await self._home.take_back(self._session, self._key)
        else:
            await self._session.close()

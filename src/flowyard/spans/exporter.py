"""Sending spans in the background: a bounded queue, one thread, patience with endpoints that are busy."""

from __future__ import annotations

import queue
import random
import ssl
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urljoin, urlsplit

from flowyard._util.retry_after import parse_retry_after
from flowyard.spans.destination import Destination
from flowyard.spans.span import Span

if TYPE_CHECKING:
    from urllib.request import OpenerDirector

__all__ = ["Exporter", "Make"]

Make = Callable[[], Sequence[Span]]
"""Makes the spans of one exchange; called in the exporter's thread."""

_MOST_WAITING = 2048
_MOST_AT_ONCE = 512
_GATHER_S = 1.0
_ATTEMPTS = 6
_FIRST_WAIT_S = 1.0
_LONGEST_WAIT_S = 60.0
_FLUSH_S = 5.0
_MOST_ANSWER = 1 << 20
_MOVES = 3


class _Answer(NamedTuple):
    status: int
    body: bytes
    retry_after_s: float | None


class Exporter:
    """Sends to one destination. Nothing here raises or waits for the network but ``close``, at most ``flush_s``."""

    def __init__(
        self,
        destination: Destination,
        *,
        most_waiting: int = _MOST_WAITING,
        gather_s: float = _GATHER_S,
        first_wait_s: float = _FIRST_WAIT_S,
        flush_s: float = _FLUSH_S,
    ) -> None:
        self.dropped = 0
        self.sent = 0
        self._destination = destination
        self._gather_s = gather_s
        self._first_wait_s = first_wait_s
        self._flush_s = flush_s
        self._waiting: queue.Queue[tuple[Make, int]] = queue.Queue(most_waiting)
        self._woken = threading.Event()
        self._closing = threading.Event()
        self._until: float | None = None
        self._has_said = False
        self._thread = threading.Thread(target=self._work, name="flowyard-spans", daemon=True)
        self._thread.start()

    def put(self, make: Make, count: int) -> None:
        """Send what ``make`` gives, ``count`` spans, soon; drop them when too many wait."""
        try:
            self._waiting.put_nowait((make, count))
        except queue.Full:
            self.dropped += count
        if not self._woken.is_set():
            self._woken.set()

    def close(self) -> None:
        """Send what waits, for ``flush_s`` seconds at most; what is left then is dropped. Safe to call again."""
        if not self._closing.is_set():
            self._until = time.monotonic() + self._flush_s
            self._closing.set()
            self._woken.set()
        self._thread.join(self._flush_s + 1.0)

    def _work(self) -> None:
        opener = self._opener()
        while True:
            self._woken.wait()
            is_last = self._closing.wait(self._gather_s)
            self._woken.clear()
            while spans := self._taken():
                self._send(opener, spans)
            if is_last:
                return

    def _taken(self) -> list[Span]:
        """The spans that wait, some at a time."""
        spans: list[Span] = []
        while len(spans) < _MOST_AT_ONCE:
            try:
                make, count = self._waiting.get_nowait()
            except queue.Empty:
                break
            try:
                spans.extend(make())
            except Exception as error:  # a value of a flow whose __str__ fails, for one
                self._drop(count, type(error).__name__)
        return spans

    def _send(self, opener: OpenerDirector, spans: Sequence[Span]) -> None:
        """Send until all are taken or refused, or the patience is over."""
        wait_s = self._first_wait_s
        for attempt in range(1, _ATTEMPTS + 1):
            answer = self._post(opener, spans)
            label = f"it answered {answer.status}" if answer.status else "it does not answer"
            if answer.status:
                outcome = self._destination.outcome(answer.status, answer.body, spans)
                again = outcome.again
                self.sent += len(spans) - len(again) - outcome.refused
                self._drop(outcome.refused, label)
            else:
                again = spans
            spans = again
            if not spans:
                return
            pause_s = answer.retry_after_s if answer.retry_after_s is not None else wait_s * random.uniform(0.5, 1.5)
            if attempt == _ATTEMPTS or self._is_over(pause_s):
                break
            wait_s *= 2
        self._drop(len(spans), label)

    def _is_over(self, pause_s: float) -> bool:
        """Pause; True when the server ends and has tried since: a dead endpoint must not hold up its end."""
        if self._closing.is_set():
            return True
        self._closing.wait(min(pause_s, _LONGEST_WAIT_S))
        return False

    def _post(self, opener: OpenerDirector, spans: Sequence[Span]) -> _Answer:
        """The answer; status 0 when there is none. Follows an endpoint that moved."""
        from urllib.error import HTTPError  # noqa: PLC0415 - heavy, and most servers send nothing
        from urllib.request import Request  # noqa: PLC0415 - as above

        destination = self._destination
        data, kind = destination.body(spans)
        for _ in range(_MOVES):
            headers = {**destination.headers, **kind}
            request = Request(destination.url, data, headers, method="POST")  # noqa: S310 - settings checked the scheme
            try:
                with opener.open(request, timeout=self._timeout_s()) as answer:
                    return _Answer(answer.status, answer.read(_MOST_ANSWER), None)
            except HTTPError as error:
                with error:
                    moved = error.headers.get("Location") if error.code in (307, 308) else None
                    if moved is None or not self._may_move(moved):
                        asked = error.headers.get("Retry-After")
                        wait = parse_retry_after({"Retry-After": asked} if asked else {})
                        return _Answer(error.code, error.read(_MOST_ANSWER), wait)
                    destination.url = urljoin(destination.url, moved)
            except Exception:  # whatever goes wrong between here and the endpoint
                return _Answer(0, b"", None)
        return _Answer(0, b"", None)

    def _may_move(self, url: str) -> bool:
        """Headers may hold keys: only what needs none is sent elsewhere, and never to where everybody can read."""
        here, there = urlsplit(self._destination.url), urlsplit(urljoin(self._destination.url, url))
        same_host = here.netloc == there.netloc
        return here.scheme == there.scheme and (same_host or not self._destination.headers)

    def _timeout_s(self) -> float:
        left_s = self._destination.timeout_s if self._until is None else self._until - time.monotonic()
        return max(0.1, min(self._destination.timeout_s, left_s))

    def _opener(self) -> OpenerDirector:
        from urllib.request import HTTPRedirectHandler, HTTPSHandler, build_opener  # noqa: PLC0415 - as above

        class Stay(HTTPRedirectHandler):
            """Leaves it to us where requests go."""

            def redirect_request(self, *_: object) -> None:
                """Nowhere."""

        context = ssl.create_default_context(cafile=self._destination.ca_file)
        return build_opener(Stay, HTTPSHandler(context=context))

    def _drop(self, count: int, why: str) -> None:
        if not count:
            return
        self.dropped += count
        if not self._has_said:
            self._has_said = True
            sys.stderr.write(f"Spans for {self._destination.label} are dropped: {why}\n")

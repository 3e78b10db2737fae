"""``python -m bench.slowloris``: hundreds of connections that send a byte now and then, while others want answers.

Beside them some send heads and bodies that are too large, and some several requests at once, of which the last one is
smuggled in a body. The others' 99th percentile may at most double, and the server has to have answered exactly the
requests that were meant. Exits 1 when a mark is missed. ``--switch`` sends all of it through the switch.
"""

from __future__ import annotations

import argparse
import resource
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

from bench.load import Load, Mark, loaded, percentile, tell, watched
from bench.served_flow import BODY, behind_switch, quiet_warning, score_counts, served
from bench.timing import say

_KEY = "bench-loads-key"
_RATE = 100.0
_DRIP_S = 1.0
_GOOD = (
    f"POST /score HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {_KEY}\r\n"
    f"Content-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n{BODY}"
).encode()
_SMUGGLED = (
    b"POST /score HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    + _GOOD
)
_HUGE_HEAD = b"GET /health HTTP/1.1\r\nHost: a\r\nA: " + b"x" * 100_000
_HUGE_BODY = b"POST /score HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 999999999\r\n\r\n"


def main() -> int:
    options = _options()
    quiet_warning()
    _allow_files(4 * options.connections + 500)
    with ExitStack() as stack:
        url = stack.enter_context(_place(through_switch=options.switch))
        calm = _asked(url, options.seconds)
        with _slow_ones(url, options.connections) as slow:
            attacked = _asked(url, options.seconds, wrong=slow)
        counts = score_counts(url, key=_KEY)
    good = len(calm.outcomes) + len(attacked.outcomes) + slow.pipelined
    say(f"{options.connections} slow connections, {slow.sent_wrong} bad ones, {slow.pipelined} requests in pipelines")
    usual, p99 = percentile(calm.outcomes, 0.99), percentile(attacked.outcomes, 0.99)
    bad = [each for each in (*calm.outcomes, *attacked.outcomes) if each.status != 200]
    counted = counts.get("200", 0)
    return tell(
        [
            Mark("others: failed or refused requests", str(len(bad)), "0", not bad),
            Mark("others: p99 before", f"{usual * 1000:.1f} ms", "", is_held=True),
            Mark("others: p99 meanwhile", f"{p99 * 1000:.1f} ms", "at most twice that", p99 <= 2 * usual),
            Mark("answered requests, by the server", str(counted), str(good), counted == good),
            Mark("bad connections not refused", str(slow.not_refused), "0", slow.not_refused == 0),
        ],
        [*calm.failures, *attacked.failures],
    )


@contextmanager
def _place(*, through_switch: bool) -> Iterator[str]:
    if through_switch:
        with behind_switch(0.005, FLOWYARD_SERVE_KEY=_KEY) as (_, url, _folder):
            yield url
    else:
        with served(0.005, FLOWYARD_SERVE_KEY=_KEY) as server:
            yield server.url


class _Slow(threading.Thread):
    """Opens the connections, keeps them dripping, and sends what is bad."""

    def __init__(self, url: str, connections: int) -> None:
        super().__init__(daemon=True)
        parts = urlsplit(url)
        self._address = (str(parts.hostname), int(parts.port or 0))
        self._connections = connections
        self._stopped = threading.Event()
        self.opened = threading.Event()
        self.pipelined = self.sent_wrong = self.not_refused = 0

    def run(self) -> None:
        drips = b"POST /score HTTP/1.1\r\nHost: 127.0.0.1\r\nA: " + b"x" * 1000
        held: list[socket.socket | None] = [None] * self._connections
        at = 0
        while not self._stopped.is_set():
            for number, one in enumerate(held):
                held[number] = self._dripped(one, drips[at % len(drips)])
                if at == 0 and number % 20 == 0:
                    time.sleep(0)
            at += 1
            self.opened.set()
            self._stopped.wait(_DRIP_S)
        for one in held:
            if one is not None:
                one.close()

    def _dripped(self, one: socket.socket | None, byte: int) -> socket.socket:
        try:
            if one is None:
                raise ConnectionError
            one.send(bytes([byte]))
        except OSError:
            if one is not None:
                one.close()
            one = socket.create_connection(self._address, 30)
        return one

    def attack(self) -> None:
        """One of each bad request, and a pipeline of three good ones."""
        for sent in (_SMUGGLED, _HUGE_HEAD, _HUGE_BODY):
            answer = self._said(sent)
            self.sent_wrong += 1
            self.not_refused += not answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5")) or answer.count(b"HTTP/1.1") != 1
        last = _GOOD.replace(b"Host:", b"Connection: close\r\nHost:", 1)
        answer = self._said(_GOOD * 2 + last)
        self.pipelined += answer.count(b"HTTP/1.1 200")

    def _said(self, sent: bytes) -> bytes:
        with socket.create_connection(self._address, 30) as one:
            answer = b""
            try:
                one.sendall(sent)
                while piece := one.recv(65536):
                    answer += piece
            except ConnectionError:
                pass
            return answer

    def stop(self) -> None:
        self._stopped.set()
        self.join()


@contextmanager
def _slow_ones(url: str, connections: int) -> Iterator[_Slow]:
    slow = _Slow(url, connections)
    slow.start()
    slow.opened.wait(60)
    try:
        yield slow
    finally:
        slow.stop()


def _asked(url: str, seconds: float, wrong: _Slow | None = None) -> Load:
    with loaded(f"{url}/score", 64, BODY, rate=_RATE, headers=[f"Authorization: Bearer {_KEY}"]) as load:
        if wrong is None:
            watched(seconds)
        else:
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                wrong.attack()
                time.sleep(0.5)
    return load


def _allow_files(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.slowloris", description=__doc__)
    parser.add_argument("--connections", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--switch", action="store_true", help="through the switch instead of directly")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

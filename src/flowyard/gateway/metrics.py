"""What went through a gateway, in the text form that Prometheus reads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from flowyard.gateway.arm import LATENCY_BOUNDS, Arm
from flowyard.gateway.epochs import Epoch
from flowyard.gateway.mirror import Mirror

__all__ = ["CONTENT_TYPE", "metrics_text"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_BREAKER = {"closed": 0, "half-open": 1, "open": 2}
_FAILED_FROM = 500


def metrics_text(arms: Iterable[Arm], epoch: Epoch, mirror: Mirror | None, exposures_dropped: int, now: float) -> str:
    """Everything; names of arms need no escaping, because the file allows no odd ones."""
    known = tuple(arms)
    lines = [*_requests(known), *_latency(known), *_state(known, epoch, now), *_mirror(mirror)]
    lines += _single("exposures_dropped_total", "counter", "Exposures that were lost.", exposures_dropped)
    return "".join(f"{line}\n" for line in lines)


def _requests(arms: tuple[Arm, ...]) -> Iterator[str]:
    yield from _head("requests_total", "counter", "Requests by arm and status; 499 is a caller who left.")
    for arm in arms:
        for status, count in sorted(arm.statuses.items()):
            yield f'flowyard_gateway_requests_total{{arm="{arm.name}",status="{status}"}} {count}'
    yield from _head("errors_total", "counter", "Requests that an arm failed: statuses from 500.")
    for arm in arms:
        failed = sum(count for status, count in arm.statuses.items() if status >= _FAILED_FROM)
        yield f'flowyard_gateway_errors_total{{arm="{arm.name}"}} {failed}'


def _latency(arms: tuple[Arm, ...]) -> Iterator[str]:
    yield from _head("latency_seconds", "histogram", "Time from a whole request to the end of its answer.")
    for arm in arms:
        total = 0
        for bound, count in zip((*map(str, LATENCY_BOUNDS), "+Inf"), arm.buckets, strict=True):
            total += count
            yield f'flowyard_gateway_latency_seconds_bucket{{arm="{arm.name}",le="{bound}"}} {total}'
        yield f'flowyard_gateway_latency_seconds_sum{{arm="{arm.name}"}} {arm.latency_s:.6f}'
        yield f'flowyard_gateway_latency_seconds_count{{arm="{arm.name}"}} {total}'


def _state(arms: tuple[Arm, ...], epoch: Epoch, now: float) -> Iterator[str]:
    yield from _by_arm("in_flight", "Requests under way.", {arm.name: arm.under_way for arm in arms})
    yield from _by_arm("weight", "The weight.", {arm.name: epoch.weights.get(arm.name, 0.0) for arm in arms})
    yield from _by_arm("healthy", "Whether health checks succeed.", {arm.name: int(arm.is_healthy) for arm in arms})
    states = {arm.name: _BREAKER[arm.breaker.state(now)] for arm in arms}
    yield from _by_arm("breaker_state", "0 closed, 1 half-open, 2 open.", states)
    yield from _single("epoch", "gauge", "The number of the epoch.", epoch.number)


def _mirror(mirror: Mirror | None) -> Iterator[str]:
    sent, failed = (mirror.sent, mirror.failed) if mirror is not None else (0, 0)
    waiting, held = (mirror.waiting, mirror.held_bytes) if mirror is not None else (0, 0)
    yield from _single("mirror_sent_total", "counter", "Copies of requests that ended.", sent)
    yield from _single("mirror_failed_total", "counter", "Copies that were not answered well.", failed)
    yield from _single("mirror_waiting", "gauge", "Copies in the queue.", waiting)
    yield from _single("mirror_bytes", "gauge", "Bytes of copies in the queue or under way.", held)
    yield from _head("mirror_dropped_total", "counter", "Copies that were not sent, by what was used up.")
    for reason, count in mirror.drops.items() if mirror is not None else ():
        yield f'flowyard_gateway_mirror_dropped_total{{reason="{reason}"}} {count}'


def _by_arm(name: str, text: str, values: Mapping[str, float]) -> Iterator[str]:
    yield from _head(name, "gauge", text)
    for arm, value in values.items():
        yield f'flowyard_gateway_{name}{{arm="{arm}"}} {value:g}'


def _single(name: str, kind: str, text: str, value: float) -> Iterator[str]:
    yield from _head(name, kind, text)
    yield f"flowyard_gateway_{name} {value}"


def _head(name: str, kind: str, text: str) -> Iterator[str]:
    yield f"# HELP flowyard_gateway_{name} {text}"
    yield f"# TYPE flowyard_gateway_{name} {kind}"

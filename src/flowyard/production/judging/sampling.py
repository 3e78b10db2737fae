"""Which exchanges are judged: by a draw that hangs on the request alone, so that neither arm nor time sways it."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from flowyard.production.exchanges.lines import JoinedExchange

__all__ = ["Drawn", "SamplingRule", "arm_of", "draw_of", "sample"]


@dataclass(frozen=True, slots=True)
class SamplingRule:
    """A ``rate`` of 0 to 1, and beyond it so many requests ``per_arm``, by ``seed``; at most ``most`` by the rate.

    Where there are too many, those with the smallest draws are taken, which favours no arm either.
    """

    rate: float
    per_arm: int = 0
    most: int = 500
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Drawn:
    """An exchange of the sample; ``is_drawn`` by the rate, and not to have enough of its arm."""

    each: JoinedExchange
    draw: float
    is_drawn: bool


def draw_of(request_id: str, flow: str, seed: int) -> float:
    """A number from 0 to below 1: the same one each time for a request, whichever arms answered it."""
    key = hashlib.blake2b(f"{seed}\n{flow}".encode("utf-8", "surrogateescape"), digest_size=32).digest()
    digest = hashlib.blake2b(request_id.encode("utf-8", "backslashreplace"), digest_size=8, key=key).digest()
    return int.from_bytes(digest, "big") / 2**64


def arm_of(each: JoinedExchange) -> str:
    """The arm of the gateway that answered; its version where no gateway chose."""
    return each.exposure.arm if each.exposure is not None else each.exchange.version


def sample(
    exchanges: Iterable[JoinedExchange],
    flow: str,
    rule: SamplingRule,
    is_wanted: Callable[[JoinedExchange], bool] = lambda _: True,
) -> list[Drawn]:
    """The exchanges to judge, by their draws; in memory are no more than those of one sample.

    ``is_wanted`` says which ones still matter: ``per_arm`` counts the others of an arm, too.
    """
    by_rate = _Smallest(rule.most)
    by_arm: dict[str, _Smallest] = {}
    for each in exchanges:
        draw = draw_of(each.exchange.request_id, flow, rule.seed)
        if draw < rule.rate and is_wanted(each):
            by_rate.add(draw, each)
        if rule.per_arm:
            by_arm.setdefault(arm_of(each), _Smallest(rule.per_arm)).add(draw, each)
    found = {each.exchange.id: Drawn(each, draw, is_drawn=True) for draw, each in by_rate.items}
    for arm in by_arm.values():
        for draw, each in arm.items:
            if is_wanted(each):
                found.setdefault(each.exchange.id, Drawn(each, draw, is_drawn=False))
    return sorted(found.values(), key=lambda drawn: (drawn.draw, drawn.each.exchange.id))


class _Smallest:
    """Those with the smallest draws of all that were added; of one draw, by id."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._heap: list[tuple[float, _Reversed, JoinedExchange]] = []

    def add(self, draw: float, each: JoinedExchange) -> None:
        item = (-draw, _Reversed(each.exchange.id), each)
        if len(self._heap) < self._most:
            heapq.heappush(self._heap, item)
        elif self._most and item[:2] > self._heap[0][:2]:
            heapq.heapreplace(self._heap, item)

    @property
    def items(self) -> list[tuple[float, JoinedExchange]]:
        return [(-negative, each) for negative, _, each in self._heap]


@dataclass(frozen=True, slots=True)
class _Reversed:
    """A text that sorts the other way round."""

    text: str

    def __lt__(self, other: _Reversed) -> bool:
        return self.text > other.text

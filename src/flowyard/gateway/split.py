"""Which arm a unit gets: 10,000 slots on a line, each of which belongs to one arm.

A unit has one point on the line, by a keyed hash of the experiment and the unit. Weights say how many slots an arm
has. When they change, slots go from the arms that shrink to the arms that grow, and no other slot moves: 90/10 to 80/20
moves 10 % of the units from the first to the second, and nobody back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeVar

__all__ = ["SLOTS", "SlotLine", "Stretch", "UnitHash", "others", "shared_slots"]

SLOTS = 10_000
_SLOT_BITS = 20
_MASK = (1 << 64) - 1
_MOST_REMEMBERED = 16_384
_Found = TypeVar("_Found")

Stretch = tuple[str, int]
"""An arm, and how many slots in a row it has."""


def shared_slots(weights: Mapping[str, float]) -> dict[str, int]:
    """How many slots each arm gets: its share, rounded so that they are all given (largest remainders first)."""
    total = sum(weights.values())
    exact = {arm: weight * SLOTS / total for arm, weight in weights.items()}
    slots = {arm: int(share) for arm, share in exact.items()}
    order = sorted(weights, key=lambda arm: (slots[arm] - exact[arm], list(weights).index(arm)))
    for arm in order[: SLOTS - sum(slots.values())]:
        slots[arm] += 1
    return slots


@dataclass(frozen=True, slots=True)
class SlotLine:
    """``arms`` says of each slot whose it is, in the order of the line."""

    arms: tuple[str, ...]

    @classmethod
    def first(cls, weights: Mapping[str, float]) -> SlotLine:
        """Arms one after the other."""
        return cls(tuple(arm for arm, count in shared_slots(weights).items() for _ in range(count)))

    @classmethod
    def of_stretches(cls, stretches: Iterable[Stretch]) -> SlotLine:
        """Of what ``stretches`` gave. Raises ValueError when that is not the whole line."""
        arms = tuple(arm for arm, count in stretches for _ in range(count))
        if len(arms) != SLOTS:
            raise ValueError(f"{SLOTS} slots are needed, there are {len(arms)}.")
        return cls(arms)

    @property
    def stretches(self) -> list[Stretch]:
        """The line in few words."""
        return [(arm, len(list(run))) for arm, run in groupby(self.arms)]

    def arm(self, point: int) -> str:
        """Whose slot a point of 64 bits lies in."""
        return self.arms[point * SLOTS >> 64]

    def changed(self, weights: Mapping[str, float]) -> SlotLine:
        """The line with other weights; arms that are not named get nothing."""
        wanted, order = shared_slots(weights), list(weights)
        have = {arm: self.arms.count(arm) for arm in {*self.arms, *wanted}}
        growing = [arm for arm in order if wanted[arm] > have[arm]]
        last_growing = order.index(growing[-1]) if growing else 0
        free: list[int] = []
        for arm, count in have.items():
            more = count - wanted.get(arm, 0)
            if more > 0:
                # What borders on those that grow goes first, so that an arm keeps one stretch where it can.
                before = arm in order and order.index(arm) < last_growing
                mine = [slot for slot, owner in enumerate(self.arms) if owner == arm]
                free += mine[-more:] if before else mine[:more]
        arms, free = list(self.arms), sorted(free)
        for arm in growing:
            count = wanted[arm] - have[arm]
            for slot in free[:count]:
                arms[slot] = arm
            del free[:count]
        return SlotLine(tuple(arms))


class _Remembered(dict[str, _Found]):
    """What a function gives, for the last units that were asked for; at most so many."""

    def __init__(self, find: Callable[[str], _Found]) -> None:
        self._find = find

    def __missing__(self, unit: str) -> _Found:
        if len(self) >= _MOST_REMEMBERED:
            self.clear()
        found = self[unit] = self._find(unit)
        return found


class UnitHash:
    """Keyed hashes of units: a point for each experiment, and a name that says nothing of who it is."""

    def __init__(self, salt: str, experiment: str) -> None:
        key = hashlib.blake2b(salt.encode(), digest_size=32).digest()
        self._point = hashlib.blake2b(f"{experiment}\n".encode(), digest_size=8, key=key, person=b"point")
        self._name = hashlib.blake2b(digest_size=16, key=key, person=b"name")
        self.slots: Mapping[str, int] = _Remembered(self.slot)
        """The same as ``slot``, remembered for units that come again."""
        self.names: Mapping[str, str] = _Remembered(self.name)

    def point(self, unit: str) -> int:
        """Where a unit lies, 64 bits; in two experiments independently of each other."""
        hashed = self._point.copy()
        hashed.update(unit.encode("utf-8", "surrogateescape"))
        return int.from_bytes(hashed.digest(), "big")

    def slot(self, unit: str) -> int:
        """The slot that a unit lies in."""
        return self.point(unit) * SLOTS >> 64

    def name(self, unit: str) -> str:
        """What records call a unit, the same in all experiments with this salt: 32 hexadecimal digits."""
        hashed = self._name.copy()
        hashed.update(unit.encode("utf-8", "surrogateescape"))
        return hashed.hexdigest()


def others(arms: Sequence[str], weights: Mapping[str, float], point: int) -> list[str]:
    """``arms`` in the order in which a unit tries them when its own cannot be reached: by weight, always the same."""
    left, order = list(arms), list[str]()
    rest = (point << _SLOT_BITS) & _MASK  # which slot it is says nothing about these bits
    while left:
        at = rest / (1 << 64) * sum(weights.get(arm, 0.0) for arm in left)
        found = left[-1]
        for arm in left:
            at -= weights.get(arm, 0.0)
            if at < 0:
                found = arm
                break
        left.remove(found)
        order.append(found)
    return order

"""Changing weights: an epoch is written down, and then it holds for every request that begins."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from typing import Any

from flowyard._util.suggest import did_you_mean, known_names
from flowyard.errors import Conflict, NotFound, UserError
from flowyard.gateway.arm import Arm
from flowyard.gateway.epochs import Epoch, EpochFile

__all__ = ["Weights", "first_epoch"]

_LONGEST_REASON = 1000


def first_epoch(file: EpochFile, in_file: Mapping[str, float]) -> Epoch:
    """The epoch to go on with: the last one, unless ``gateway.yaml`` has changed since. Raises StoreError."""
    last = file.open()
    if last is not None and last.in_file == dict(in_file):
        return last
    reason = "gateway.yaml has other weights" if last is not None else "the weights of gateway.yaml"
    epoch = Epoch.after(last, dict(in_file), reason=reason, in_file=dict(in_file))
    file.append(epoch)
    return epoch


class Weights:
    """The one who changes them. ``holds`` is called with each new epoch."""

    def __init__(self, epoch: Epoch, file: EpochFile, arms: Mapping[str, Arm], holds: Callable[[Epoch], None]) -> None:
        self.epoch = epoch
        self._file = file
        self._arms = arms
        self._holds = holds
        self._changing = asyncio.Lock()

    async def set(self, weights: Mapping[str, float], reason: str, *, epoch: int | None = None) -> Epoch:
        """Begin an epoch with these weights; arms that are not named get nothing, those that get some are not drained.

        Raises UserError for weights that cannot be, NotFound for an arm that is not there, and Conflict when ``epoch``
        is given and is not the one that holds.
        """
        self._require_arms(weights)
        whole = {name: float(weights.get(name, 0)) for name in self._arms}
        if not all(math.isfinite(each) and each >= 0 for each in whole.values()) or not sum(whole.values()):
            raise UserError("Weights are 0 or more, and at least one is more.")
        async with self._changing:
            self._require_epoch(epoch)
            drained = frozenset(name for name in self.epoch.drained if not whole.get(name))
            return await self._begin(whole, reason, drained)

    async def drain(self, name: str, reason: str) -> Epoch:
        """Give a backend's weight to the others, in proportion, and nothing more to it. Raises as ``set`` does."""
        self._require_arms({name: 0})
        async with self._changing:
            whole = {**self.epoch.weights, name: 0.0}
            if not sum(whole.values()):
                raise Conflict(f"Only {name} has a weight.", hint="Give another backend one first.")
            return await self._begin(whole, reason, self.epoch.drained | {name})

    def views(self, most: int) -> list[dict[str, Any]]:
        """The last epochs, oldest first."""
        return self._file.views(most)

    async def _begin(self, weights: Mapping[str, float], reason: str, drained: frozenset[str]) -> Epoch:
        following = Epoch.after(self.epoch, weights, reason=reason[:_LONGEST_REASON], drained=drained)
        await asyncio.shield(self._write(following))
        return following

    async def _write(self, following: Epoch) -> None:
        """Runs to its end also when whoever asked for it has left: what is written has to hold."""
        await asyncio.to_thread(self._file.append, following)
        self.epoch = following
        self._holds(following)

    def _require_arms(self, names: Mapping[str, float]) -> None:
        for name in names:
            if name not in self._arms:
                hint = did_you_mean(name, self._arms) or f"Known: {known_names(self._arms)}."
                raise NotFound(f"There is no backend {name!r}.", hint=hint)

    def _require_epoch(self, number: int | None) -> None:
        if number is not None and number != self.epoch.number:
            raise Conflict(f"Epoch {self.epoch.number} holds, not {number}: somebody has changed the weights.")

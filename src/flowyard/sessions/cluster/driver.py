"""Handing lines to workers of a cluster: what a machine that went away held is run elsewhere."""

from __future__ import annotations

import collections
from typing import Any

from flowyard.errors import OutsideError
from flowyard.sessions.black_box import read_black_box
from flowyard.sessions.driver import LineDriver, LineHand, Share
from flowyard.sessions.lost_lines import crashed

__all__ = ["ClusterDriver"]

_MOST_LOST_STARTS = 10
_MOST_LOST_ALONE = 2


class ClusterDriver(LineDriver):
    """As on one machine, but a worker that ended may have been lost with its node, and no line is to blame at once.

    Its lines run again. Those that were lost before are suspects and run alone; one that is lost alone twice has
    failed.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._lost: collections.Counter[int] = collections.Counter()
        self._lost_alone: collections.Counter[int] = collections.Counter()
        self._lost_starts = 0

    def expect_workers(self, workers: int) -> None:
        """The lines at once are shared by that many workers from now on."""
        self._workers = max(1, workers, len(self._shares))
        self._supply_or_fail()

    def hand_lost(self, hand: LineHand, how: str) -> None:
        """A worker went away with its node or its actor. Raises nothing."""
        share = self._shares.pop(hand, None)
        if share is None:
            self._lost_starts += 1
        else:
            self._lost_starts = 0
            self._sort_out(share, how)
        if self._lost_starts >= _MOST_LOST_STARTS:
            self.fail(OutsideError(f"No worker can be started on the cluster: {how}."))

    def _blame(self, share: Share, how: str) -> None:
        """A worker process ended: by itself, or because its node is just going away, which looks the same."""
        if share.late is not None:
            super()._blame(share, how)
            return
        running = {number for number, _ in read_black_box(share.hand.box)}
        self._failed_starts += not running & share.lines.keys()
        self._again.extend(share.lines.pop(number) for number in list(share.lines) if number not in running)
        self._sort_out(share, how)

    def _sort_out(self, share: Share, how: str) -> None:
        for number, task in share.lines.items():
            self._lost[number] += 1
            self._lost_alone[number] += share.alone
            if self._lost_alone[number] >= _MOST_LOST_ALONE:
                self._tell(crashed(task, how))
            elif self._lost[number] > 1:
                self._suspects.append(task)
            else:
                self._again.append(task)
        self._supply_or_fail()

    def _part(self, share: Share) -> int:
        """This worker's part of all lines that may run at once; together they are exactly that many."""
        place = list(self._shares.values()).index(share)
        whole, rest = divmod(self._concurrency.limit, max(self._workers, len(self._shares)))
        return max(1, whole + (place < rest))

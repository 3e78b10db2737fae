"""What is known of one connection while it is paced: a row of numbers, so that processes can share it.

Times are seconds of the monotonic clock, which all processes of a machine share. Each number is right by itself: a
process that is killed between two of them leaves a row that is still safe to go on with.
"""

from __future__ import annotations

from collections.abc import MutableSequence
from typing import Final

__all__ = ["COUNT", "Fields"]

Fields = MutableSequence[float]
"""``COUNT`` numbers, all 0 at first."""

REQUESTS: Final = 0  # when the bucket of requests is full again
TOKENS: Final = 1  # when the bucket of tokens is full again
PAUSED_UNTIL: Final = 2  # nobody asks before
REFUSALS: Final = 3  # refusals in a row that did not say when to come back
FAILURES: Final = 4  # failures in a row
OPEN_UNTIL: Final = 5  # when an open breaker lets a probe through; 0 while it is closed
OPENINGS: Final = 6  # how often the breaker opened without an answer in between
OUTAGE_SINCE: Final = 7  # when the failures began that opened the breaker
PROBE: Final = 8  # the number of the last probe
PROBE_UNTIL: Final = 9  # when the probe under way counts as lost; 0 when there is none
RETRIES: Final = 10  # retries that were taken, less those that answers earned
FREE_RETRY: Final = 11  # when the last retry beyond the budget was let through
ANSWERED: Final = 12  # 1 once a call was answered
RETRIES_AT: Final = 13  # when retries were last forgiven
COUNT: Final = 14

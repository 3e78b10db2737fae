"""``python -m bench.drift``: how often drift is seen where nothing changed, and where something did."""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bench.timing import say
from flowyard.production.drift import Observation, compare
from flowyard.production.drift.features import field_features

__all__ = ["CHANGES", "share_drifted"]

Change = Callable[[dict[str, Any], random.Random], dict[str, Any]]
TOPICS = ("refund", "delivery", "invoice", "login", "other")
REFERENCE = 500
WINDOWS = (100, 400, 1600)


def _asked(numbers: random.Random) -> dict[str, Any]:
    return {
        "question": "x" * max(1, int(math.exp(numbers.gauss(4, 0.6)))),
        "topic": numbers.choices(TOPICS, (40, 30, 15, 10, 5))[0],
        "age": numbers.gauss(40, 12),
        "is_new": numbers.random() < 0.3,
    }


def _rarely(share: float, **changes: Any) -> Change:
    return lambda values, numbers: {**values, **changes} if numbers.random() < share else values


CHANGES: Mapping[str, Change] = {
    "nothing": lambda values, _: values,
    "texts 30 % longer": lambda values, _: {
        **values,
        "question": values["question"] + "x" * int(len(values["question"]) * 0.3),
    },
    "texts twice as long": lambda values, _: {**values, "question": values["question"] * 2},
    "10 % in another script": _rarely(0.1, question="где мой заказ?"),
    "10 % of a new topic": _rarely(0.1, topic="outage"),
    "numbers half a deviation larger": lambda values, _: {**values, "age": values["age"] + 6},
}


def _seen(seed: str, count: int, change: Change) -> Sequence[Observation]:
    numbers = random.Random(seed)
    return [Observation(dict(field_features("inputs", change(_asked(numbers), numbers)))) for _ in range(count)]


def share_drifted(change: Change, window: int, times: int) -> float:
    """The share of seeded windows of so many records in which any feature drifted, against 500 records."""
    found = 0
    for run in range(times):
        reference = _seen(f"{run} before", REFERENCE, CHANGES["nothing"])
        found += bool(compare(reference, _seen(f"{run} now", window, change)).drifted)
    return found / times


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=200, help="windows of each kind")
    times = parser.parse_args().times
    say(f"{'':34}" + "".join(f"{window:>9}" for window in WINDOWS))
    for name, change in CHANGES.items():
        shares = "".join(f"{share_drifted(change, window, times):>9.1%}" for window in WINDOWS)
        say(f"{name:34}{shares}")


if __name__ == "__main__":
    main()

"""Many tests at once: p-values adjusted so that each can be held against the level by itself.

All functions take p-values in any order and return the adjusted ones in that order; equal p-values stay equal, and an
empty sequence gives an empty list. ValueError for what is no probability. Bonferroni and Holm bound the chance of any
false win (Holm is never weaker: use it for gates); Benjamini-Hochberg bounds the expected share of false wins among
the wins (for exploration only).
"""

from __future__ import annotations

from collections.abc import Sequence

from flowyard.statistics.inputs import require_probability

__all__ = ["benjamini_hochberg", "bonferroni", "holm"]


def bonferroni(p_values: Sequence[float]) -> list[float]:
    """p times the number of tests (Dunn 1961)."""
    values = _require_p_values(p_values)
    return [min(1.0, len(values) * value) for value in values]


def holm(p_values: Sequence[float]) -> list[float]:
    """Step-down Bonferroni (Holm 1979)."""
    values = _require_p_values(p_values)
    adjusted, largest = [0.0] * len(values), 0.0
    for before, place in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        largest = max(largest, min(1.0, (len(values) - before) * values[place]))
        adjusted[place] = largest
    return adjusted


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Step-up control of the false discovery rate (Benjamini and Hochberg 1995)."""
    values = _require_p_values(p_values)
    adjusted, smallest = [0.0] * len(values), 1.0
    order = sorted(range(len(values)), key=values.__getitem__)
    for rank in range(len(values), 0, -1):
        place = order[rank - 1]
        smallest = min(smallest, len(values) / rank * values[place])
        adjusted[place] = smallest
    return adjusted


def _require_p_values(p_values: Sequence[float]) -> list[float]:
    return [require_probability(value, "a p-value", closed=True) for value in p_values]

"""What is compared for drift, and what comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Bin", "DriftReport", "DriftSettings", "FeatureDrift", "FeatureKind", "Observation", "Value"]

Value = float | str | tuple[float, ...]
"""A number, a category or a vector."""
FeatureKind = Literal["number", "category", "vector"]


@dataclass(frozen=True, slots=True)
class Observation:
    """One line of data or one exchange: its features by name. ``id`` is the exchange's, empty for lines of data.

    ``simulated`` are the features that a simulated model made, such as scores of judges.
    """

    values: Mapping[str, Value]
    version: str = ""
    id: str = ""
    simulated: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class DriftSettings:
    """A feature has drifted when its corrected p-value is at most ``alpha`` and its effect at least ``effect``.

    The effect is the population stability index, of vectors the energy coefficient with ``vector_effect``. Samples
    with fewer than ``min_records`` values are not compared. ``features`` keeps those whose names begin so; none: all.
    """

    alpha: float = 0.01
    effect: float = 0.1
    vector_effect: float = 0.05
    min_records: int = 50
    features: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Bin:
    """A part of a feature's values with the share of each sample in it.

    Of numbers it is above ``low`` up to ``high``; of categories one ``label``, or the ``others`` that have no bin.
    """

    label: str
    reference: float
    current: float
    low: float | None = None
    high: float | None = None
    is_others: bool = False


@dataclass(frozen=True, slots=True)
class FeatureDrift:
    """One feature of one version against the reference. ``p_value`` is corrected for all features and versions."""

    version: str
    feature: str
    kind: FeatureKind
    reference_values: int
    current_values: int
    effect: float
    p_value: float
    is_drifted: bool
    reference_text: str
    current_text: str
    is_simulated: bool = False
    bins: tuple[Bin, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class DriftReport:
    """All that was compared, what drifted first. ``too_few`` names versions with too little to compare."""

    features: Sequence[FeatureDrift] = ()
    reference_records: int = 0
    current_records: Mapping[str, int] = field(default_factory=dict)
    too_few: Sequence[str] = ()

    @property
    def drifted(self) -> Sequence[FeatureDrift]:
        """What drifted."""
        return [each for each in self.features if each.is_drifted]

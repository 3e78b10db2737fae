"""Whether what a flow is asked, and how it is judged, is still what it was: features of records against a reference."""

from flowyard.production.drift.compare import compare
from flowyard.production.drift.model import DriftReport, DriftSettings, FeatureDrift, Observation
from flowyard.production.drift.observed import dataset_observations, observations, run_observations
from flowyard.production.drift.regions import drifted_ids

__all__ = [
    "DriftReport",
    "DriftSettings",
    "FeatureDrift",
    "Observation",
    "compare",
    "dataset_observations",
    "drifted_ids",
    "observations",
    "run_observations",
]

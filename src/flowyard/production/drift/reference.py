"""What is normal for a flow: a version of a dataset, a run, or the time before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import lru_cache

from flowyard.production.drift.compare import compare
from flowyard.production.drift.model import DriftReport, DriftSettings, Observation
from flowyard.production.drift.observed import dataset_observations, observations, run_observations
from flowyard.production.exchanges.series import Window
from flowyard.production.store.store import ProductionStore
from flowyard.registry import open_registry
from flowyard.settings import Settings
from flowyard.store import SqlStore

__all__ = ["Reference", "drift_of", "open_reference", "window_before"]

Reference = Callable[[Window], Sequence[Observation]]
"""Gives what is normal for a window."""


def open_reference(
    settings: Settings, store: ProductionStore, flow: str, source: str | None, before: timedelta | None
) -> Reference:
    """``registry:NAME:VERSION`` or ``run:NAME``, read once; else the time of that length before a window, or its own.

    Raises UserError, NotFound and StoreError for a source that cannot be read, when it is first asked for.
    """
    if source is None:
        return lambda window: observations(store, flow, window_before(window, before))

    @lru_cache(maxsize=1)
    def read() -> Sequence[Observation]:
        kind, _, name = source.partition(":")
        if kind == "registry":
            return dataset_observations(open_registry(settings).resolve(name))
        return run_observations(SqlStore(settings.home, settings.store).get_run(name))

    return lambda _: read()


def window_before(window: Window, length: timedelta | None = None) -> Window:
    """The time before a window, as long as it unless a length is given."""
    return Window(window.since - (length or window.until - window.since), window.since)


def drift_of(
    reference: Reference, current: Iterable[Observation], window: Window, settings: DriftSettings, by: str = "version"
) -> DriftReport:
    """The observations of a window against what is normal for it, by version, or by ``flow`` all as one."""
    observed = list(current)
    if by == "flow":
        observed = [replace(each, version="") for each in observed]
    return compare(reference(window) if observed else (), observed, settings)

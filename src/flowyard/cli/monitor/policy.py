"""``monitoring.yaml`` for commands: which one, and what is needed to look by it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click

from flowyard.app import open_app
from flowyard.cli.deploy.options import use_case_name
from flowyard.cli.shared.options import read_settings, store_options
from flowyard.errors import NotFound, UserError
from flowyard.production.alerts.look import Alert, look
from flowyard.production.alerts.measure import DriftLook
from flowyard.production.alerts.model import MonitoringPolicy
from flowyard.production.alerts.policy_file import find_monitoring
from flowyard.production.alerts.tell import Told, tell_waiting
from flowyard.production.drift.model import DriftReport
from flowyard.production.drift.observed import observations
from flowyard.production.drift.reference import drift_of, open_reference
from flowyard.production.exchanges.series import Window
from flowyard.production.store.store import ProductionStore, open_production
from flowyard.settings import Settings

__all__ = ["Watch", "open_watch", "policy_options"]

F = TypeVar("F", bound=Callable[..., Any])


def policy_options(command: F) -> F:
    """``[USECASE]``, ``--config``, ``--home`` and ``--json``."""
    config = click.option("--config", metavar="FILE", help="A monitoring.yaml, instead of the one of USECASE.")
    return click.argument("use_case", metavar="[USECASE]", required=False)(config(store_options(command)))


@dataclass(frozen=True, slots=True)
class Watch:
    """A flow that is watched: by what, where its records are, and where targets are set."""

    policy: MonitoringPolicy
    store: ProductionStore
    settings: Settings
    environ: Mapping[str, str]
    drift: DriftLook

    def look(self) -> list[Alert]:
        """One look, now; states and messages are written down."""
        return list(look(self.store, self.policy, self.drift, datetime.now(UTC)))

    def tell(self) -> list[Told]:
        """Send what waits to be sent."""
        return list(tell_waiting(self.store, self.policy.flow, self.environ, datetime.now(UTC)))

    @property
    def lock_path(self) -> Path:
        """Who holds it sends the messages of this home."""
        self.settings.home.mkdir(parents=True, exist_ok=True)
        return self.settings.home / "monitor.lock"


def open_watch(use_case: str | None, config: str | None, home: str | None) -> Watch:
    """What to watch. Raises UserError with every problem of the file, NotFound."""
    if (use_case is None) == (config is None):
        raise UserError("Name a use case's folder or a file.", hint="flowyard monitor check USECASE, or --config FILE")
    path = Path(str(use_case or config))
    if not path.exists():
        raise NotFound(f"There is no {path}.", hint="Name the folder with monitoring.yaml, or that file.")
    policy = find_monitoring(path, partial(use_case_name, path))
    settings = read_settings(home)
    store = open_production(settings)
    reference = open_reference(settings, store, policy.flow, policy.reference.source, policy.reference.before)

    def drift(window: Window, by: str) -> DriftReport:
        return drift_of(reference, observations(store, policy.flow, window), window, policy.drift, by)

    return Watch(policy, store, settings, open_app(settings, path).environ, drift)

"""``flowyard monitor``"""

from __future__ import annotations

import click

from flowyard.cli.lazy import LazyGroup

__all__ = ["monitor"]

_COMMANDS = {
    "collect": ("flowyard.cli.monitor.collect:collect", "Take what is new in folders of records into the store."),
    "show": ("flowyard.cli.monitor.show:show", "Show how versions or arms do."),
    "judge": ("flowyard.cli.monitor.judge:judge", "Judge a sample of the answers by the experiment's evaluators."),
    "evaluate": ("flowyard.cli.monitor.evaluate:evaluate", "Judge a sample, hold it to the gates, and report."),
    "check": ("flowyard.cli.monitor.check:check", "Look once whether an alert fires."),
    "watch": ("flowyard.cli.monitor.check:watch", "Collect, look and tell people, again and again."),
    "drift": ("flowyard.cli.monitor.drift:drift", "Show whether inputs and scores are still what they were."),
    "serve": ("flowyard.cli.monitor.serve:serve", "Serve the series of versions and arms to Prometheus."),
    "export": ("flowyard.cli.monitor.export:export", "Make a dataset of what production was asked and answered."),
    "forget": ("flowyard.cli.monitor.forget:forget", "Delete all records of one unit, such as a user."),
    "retain": ("flowyard.cli.monitor.retain:retain", "Delete what is older than some days."),
}


@click.group(cls=LazyGroup, places=_COMMANDS)
def monitor() -> None:
    """Collect records of production, look at them, be told of what goes wrong, and make datasets of them."""

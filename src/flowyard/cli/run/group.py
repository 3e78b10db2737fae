"""``flowyard run``; a file for each group of its commands, imported when one is called."""

from __future__ import annotations

import click

from flowyard.cli.lazy import LazyGroup

__all__ = ["run"]

_COMMANDS = {
    "create": ("flowyard.cli.run.create:create", "Run a flow over every row of the data."),
    "resume": ("flowyard.cli.run.resume:resume", "Go on with a run that was stopped."),
    "list": ("flowyard.cli.run.look:list_", "List runs, newest first; those that fit all that is asked."),
    "show": ("flowyard.cli.run.look:show", "Show one run."),
    "stream": ("flowyard.cli.run.look:stream", "Print the lines of a run as they finish, until it ends."),
    "tail": ("flowyard.cli.run.look:tail", "Print the lines of a run that finished last."),
    "compare": ("flowyard.cli.run.compare:compare", "Compare runs: metrics, lines, cost and time."),
    "show-details": ("flowyard.cli.run.look:show_details", "Show the inputs and outputs of each line."),
    "show-metrics": ("flowyard.cli.run.look:show_metrics", "Print the metrics of a run as JSON."),
    "visualize": ("flowyard.cli.run.files:visualize", "Write a page that shows runs side by side."),
    "update": ("flowyard.cli.run.change:update", "Change a run's display name, description or tags."),
    "archive": ("flowyard.cli.run.change:archive", "Leave a run out of lists; nothing is deleted."),
    "restore": ("flowyard.cli.run.change:restore", "Show an archived run in lists again."),
    "delete": ("flowyard.cli.run.change:delete", "Delete a run with everything in its folder."),
    "publish": ("flowyard.cli.run.publish:publish", "Put runs into MLflow: metrics, files and a trace of each line."),
    "export": ("flowyard.cli.run.files:export", "Write a run as the folder that prompt flow leaves."),
}


@click.group(cls=LazyGroup, places=_COMMANDS)
def run() -> None:
    """Run a flow over data, evaluate a run, look at results."""

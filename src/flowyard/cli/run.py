"""``flowyard run``"""

from __future__ import annotations

import click

from flowyard.cli.run_change import archive, delete, restore, update
from flowyard.cli.run_create import create
from flowyard.cli.run_files import export, visualize
from flowyard.cli.run_look import list_, show, show_details, show_metrics, stream
from flowyard.cli.run_resume import resume

__all__ = ["run"]


@click.group()
def run() -> None:
    """Run a flow over data, evaluate a run, look at results."""


for command in (create, resume, list_, show, stream, show_details, show_metrics, visualize):
    run.add_command(command)
for command in (update, archive, restore, delete, export):
    run.add_command(command)

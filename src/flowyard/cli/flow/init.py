"""``flowyard flow init``"""

from __future__ import annotations

from pathlib import Path

import click

from flowyard.cli.shared.options import SpreadCommand, pairs
from flowyard.errors import UserError
from flowyard.scaffold import FLOW_TYPES, new_flow, wrap_function

__all__ = ["init"]


@click.command(cls=SpreadCommand)
@click.option("--flow", "folder", required=True, metavar="DIR", help="The new flow's folder, or that of the code.")
@click.option("--type", "kind", type=click.Choice(FLOW_TYPES), default="standard", show_default=True)
@click.option("--entry", metavar="FILE", help="Make a flow of code that exists: the file, in the folder.")
@click.option("--function", metavar="NAME", help="The function in that file.")
@click.option("--prompt-template", multiple=True, metavar="PARAM=FILE…", help="Prompt files for its parameters.")
@click.option("-y", "--yes", "--assume-yes", is_flag=True, hidden=True, help="Accepted: nothing is ever asked.")
def init(
    folder: str,
    kind: str,
    entry: str | None,
    function: str | None,
    prompt_template: tuple[str, ...],
    yes: bool,  # noqa: ARG001
) -> None:
    """Write a new flow that runs as it is, or a flow around a function that exists. Overwrites nothing."""
    if bool(entry) != bool(function):
        raise UserError("A flow of existing code needs both --entry FILE and --function NAME.")
    if entry and function:
        files = wrap_function(Path(folder), Path(entry), function, pairs(prompt_template, "--prompt-template"))
    else:
        files = new_flow(Path(folder), kind)
    for file in files:
        click.echo(f"Wrote {file}")
    given = f" --inputs {Path(folder) / 'data.jsonl'}" if not entry else ""
    click.echo(f"Try it: flowyard flow test --flow {folder}{given}")

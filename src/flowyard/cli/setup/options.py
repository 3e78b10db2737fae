"""What the commands of ``flowyard setup`` have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from flowyard.azure.setup import Step, script
from flowyard.cli.shared.output import print_json
from flowyard.errors import UserError
from flowyard.pipelines.setup import SETUP_HEAD, CloudPlace

__all__ = ["cloud_place", "print_steps", "setup_options"]

F = TypeVar("F", bound=Callable[..., Any])
_PLACE = ("subscription", "resource_group", "workspace")


def setup_options(command: F) -> F:
    """Who may approve, where in Azure flows are served, and how it is printed."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print one JSON value on stdout."),
        click.option("--print", "is_printed", is_flag=True, help="Print the commands. Nothing is ever run here."),
        click.option("--key-vault", metavar="NAME", help="The vault that the keys of connections are read from."),
        click.option("--workspace", metavar="NAME", help="The workspace of Azure ML."),
        click.option("--resource-group", metavar="NAME", help="The resource group of the workspace."),
        click.option("--subscription", metavar="ID", help="The subscription's id; without one, nothing logs in."),
        click.option("--approver", "people", multiple=True, metavar="NAME", help="Who may approve; repeat it."),
    ):
        command = option(command)
    return command


def cloud_place(given: dict[str, str | None]) -> CloudPlace | None:
    """The place in Azure, all of it or none. Raises UserError for a part of it."""
    missing = [name for name in _PLACE if not given.get(name)]
    if len(missing) == len(_PLACE):
        return None
    if missing:
        raise UserError(
            f"--{missing[0].replace('_', '-')} is missing.", hint="Name all of the place in Azure, or none."
        )
    subscription, group, workspace = (str(given[name]) for name in _PLACE)
    return CloudPlace(subscription, group, workspace, given.get("key_vault"))


def print_steps(steps: Sequence[Step], *, is_printed: bool, as_json: bool) -> None:
    """The script, or its steps as JSON."""
    if as_json:
        listed = [{"title": each.title, "why": each.why, "commands": each.lines()} for each in steps]
        print_json({"steps": listed, "script": script(steps, SETUP_HEAD)})
    elif is_printed:
        click.echo(script(steps, SETUP_HEAD), nl=False)
    else:
        raise UserError("The commands are only printed.", hint="Add --print > setup.sh; read it; sh setup.sh")

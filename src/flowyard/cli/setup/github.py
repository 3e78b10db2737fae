"""``flowyard setup github``"""

from __future__ import annotations

from dataclasses import replace

import click

from flowyard.azure.setup import parse_github
from flowyard.cli.setup.options import cloud_place, print_steps, setup_options
from flowyard.pipelines.setup import CiOrder, github_steps

__all__ = ["github"]


@click.command()
@click.option("--repository", required=True, metavar="OWNER/NAME", help="The repository; it is made where it is not.")
@setup_options
def github(repository: str, people: tuple[str, ...], is_printed: bool, as_json: bool, **given: str | None) -> None:
    """Print what sets a repository on GitHub up: branches and their protection, logins, environments, a change."""
    order = CiOrder(replace(parse_github(repository), is_generated=True), people, cloud_place(given))
    print_steps(github_steps(order), is_printed=is_printed, as_json=as_json)

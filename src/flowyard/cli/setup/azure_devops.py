"""``flowyard setup azure-devops``"""

from __future__ import annotations

import click

from flowyard.azure.setup import parse_devops
from flowyard.cli.setup.options import cloud_place, print_steps, setup_options
from flowyard.pipelines.setup import CiOrder, azure_devops_steps

__all__ = ["azure_devops"]


@click.command("azure-devops")
@click.option("--organization", required=True, metavar="NAME", help="The organization.")
@click.option("--project", required=True, metavar="NAME", help="The project, which is there.")
@click.option("--repository", required=True, metavar="NAME", help="The repository; it is made where it is not.")
@setup_options
def azure_devops(
    organization: str,
    project: str,
    repository: str,
    people: tuple[str, ...],
    is_printed: bool,
    as_json: bool,
    **given: str | None,
) -> None:
    """Print what sets a project up: repository, policies, logins, variable groups, pipelines, the first change."""
    order = CiOrder(parse_devops(f"{organization}/{project}"), people, cloud_place(given), repository)
    print_steps(azure_devops_steps(order), is_printed=is_printed, as_json=as_json)

"""``flowyard new``"""

from __future__ import annotations

from pathlib import Path

import click

from flowyard.cli.shared.output import print_json
from flowyard.scaffold import TEMPLATES, new_use_case

__all__ = ["new"]


@click.command()
@click.argument("name", metavar="NAME")
@click.option(
    "--template", type=click.Choice(TEMPLATES), default="classification", show_default=True, help="What kind of app."
)
@click.option(
    "--root", type=click.Path(path_type=Path, file_okay=False), default=Path(), metavar="DIR",
    help="The repository's folder (default: this one).",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON value on stdout.")
def new(name: str, template: str, root: Path, as_json: bool) -> None:
    """Add the use case NAME to this repository: flows, data, experiment, deployment and tests. Overwrites nothing.

    It runs at once, on a simulated model.
    """
    files = new_use_case(root, name, template)
    if as_json:
        print_json({"name": name, "template": template, "folder": str(root / name), "files": list(map(str, files))})
        return
    for file in files:
        click.echo(f"Wrote {file}")
    click.echo(f"Try it: flowyard experiment run {root / name}")

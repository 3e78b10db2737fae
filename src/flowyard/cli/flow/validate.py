"""``flowyard flow validate``"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from flowyard.abc import ConnectionSource
from flowyard.app import App, open_app
from flowyard.cli.shared.options import SpreadCommand, read_settings, running_options, values_or_file
from flowyard.cli.shared.output import print_json, print_warnings, user_prints_to_stderr
from flowyard.engine import prepare
from flowyard.flows.load import load_flow
from flowyard.llm import open_provider

__all__ = ["check_flow", "validate"]


@click.command(cls=SpreadCommand)
@click.option("--source", "--flow", "source", required=True, metavar="PATH", help="The flow's folder or file.")
@click.option("--init", multiple=True, metavar="k=v…|FILE", help="Arguments of a flow that is a class.")
@running_options
def validate(
    source: str, init: tuple[str, ...], home: str | None, env_file: str | None, simulate: str | None, as_json: bool
) -> None:
    """Check a flow without running it: its file, code, templates and connections, every variant of every node."""
    app = open_app(read_settings(home, env_file, simulate), Path(source))
    with user_prints_to_stderr():
        checked = asyncio.run(check_flow(app, Path(source), values_or_file(init, "--init")))
    if as_json:
        print_json({"flow": source, "valid": True, "checked": checked})
    else:
        click.echo(f"{source} is valid ({', '.join(checked)}).")


async def check_flow(
    app: App, path: Path, init: dict[str, Any], declared: Sequence[ConnectionSource] = ()
) -> list[str]:
    """Prepare the defaults and then every other variant; returns what was checked."""
    connections = app.connections(declared)
    default = load_flow(path)
    others = [(node, variant) for node, ids in default.variants.items() for variant in ids[1:]]
    warnings: list[str] = []
    for selected in [{}, *({node: variant} for node, variant in others)]:
        runner = await prepare(load_flow(path, selected), connections, open_provider, init=init, urls=app.urls)
        warnings += runner.warnings
        await runner.close()
    print_warnings(dict.fromkeys(warnings))
    return ["defaults", *(f"{node}.{variant}" for node, variant in others)]

"""``flowyard flow build``"""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from flowyard.app import App, open_app
from flowyard.cli.options import read_settings, settings_options
from flowyard.cli.output import print_warnings
from flowyard.deploy import write_context
from flowyard.engine import prepare
from flowyard.flows.load import load_flow
from flowyard.flows.variants import parse_selection
from flowyard.llm import open_provider

__all__ = ["build"]


@click.command()
@click.option("--source", required=True, metavar="PATH", help="The flow's folder or file.")
@click.option("-o", "--output", required=True, metavar="DIR", help="A new folder for the build context.")
@click.option("-f", "--format", "form", type=click.Choice(["docker"]), default="docker", show_default=True)
@click.option("--variant", metavar="'${node.variant}'", help="Build this variant; other nodes use their defaults.")
@settings_options
def build(
    source: str,
    output: str,
    form: str,  # noqa: ARG001
    variant: str | None,
    home: str | None,
    env_file: str | None,
    simulate: str | None,
) -> None:
    """Write a Docker build context that serves the flow: its files, requirements and connections without secrets."""
    app = open_app(read_settings(home, env_file, simulate), Path(source))
    files = asyncio.run(_build(app, Path(source), Path(output), dict([parse_selection(variant)]) if variant else {}))
    for file in files:
        click.echo(f"Wrote {file}")
    click.echo(f"Next: docker build -t NAME {output}  (then see {Path(output) / 'README.md'})")


async def _build(app: App, source: Path, output: Path, selected: dict[str, str]) -> list[Path]:
    """Prepare the flow, which tells the connections that it uses, and write what an image needs."""
    connections = app.connections()
    runner = await prepare(load_flow(source, selected), connections, open_provider, urls=app.urls)
    print_warnings(runner.warnings)
    try:
        return write_context(runner.flow, connections.given(), output)
    finally:
        await runner.close()

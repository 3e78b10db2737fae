"""``flowyard flow build``"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import click

from flowyard.app import open_app
from flowyard.cli.shared.options import read_settings, settings_options
from flowyard.cli.shared.output import print_warnings
from flowyard.deploy.image.content import FlowContent, content_of_source, content_of_version
from flowyard.deploy.image.context import BuildFolder, write_context
from flowyard.deploy.image.folder import write_folder
from flowyard.deploy.image.registered import commit_of, registered_version
from flowyard.engine import prepare
from flowyard.errors import OutsideError, UserError
from flowyard.flows.variants import parse_selection
from flowyard.llm import open_provider
from flowyard.llm.connection import Connection
from flowyard.registry.open import open_registry
from flowyard.settings import Settings

__all__ = ["build"]

_NEXT = {
    "docker": "docker build -t NAME {folder}  (then see {folder}/README.md)",
    "wheel": "{folder}/start  (then see {folder}/README.md)",
}


@click.command()
@click.option("--source", metavar="PATH", help="The flow's folder or file.")
@click.option("--version", metavar="NAME:VERSION", help="A registered version instead.")
@click.option("-o", "--output", required=True, metavar="DIR", help="A new folder for what is written.")
@click.option("-f", "--format", "form", type=click.Choice(["docker", "wheel"]), default="docker", show_default=True)
@click.option("--variant", metavar="'${node.variant}'", help="Build this variant; other nodes use their defaults.")
@click.option("--base-image", metavar="IMAGE", help="The image to start from (default: the flow's, or a slim Python).")
@settings_options
def build(
    source: str | None,
    version: str | None,
    output: str,
    form: str,
    variant: str | None,
    base_image: str | None,
    home: str | None,
    env_file: str | None,
    simulate: str | None,
) -> None:
    """Write a folder that serves the flow: a Docker build context, or one for machines without Docker (wheel).

    It has the flow's files as they are registered, pinned requirements, and connections without secrets.
    """
    settings = read_settings(home, env_file, simulate)
    with _content(settings, source, version, variant) as content:
        connections = asyncio.run(_connections(settings, content))
        if form == "wheel":
            written = write_folder(content, connections, Path(output), settings.environ)
        else:
            written = write_context(content, connections, Path(output), environ=settings.environ, base=base_image)
    _show(written, Path(output), form)


@contextmanager
def _content(settings: Settings, source: str | None, version: str | None, variant: str | None) -> Iterator[FlowContent]:
    if (source is None) == (version is None):
        raise UserError("Name either --source or --version.")
    registry = open_registry(settings)
    if version is not None:
        if variant is not None:
            raise UserError("A registered version has its variants already.", hint="Leave --variant out.")
        found = registry.find(version, "flow")
        yield content_of_version(found, registry.folder(found), commit_of(registry, found))
        return
    with content_of_source(Path(str(source)), dict([parse_selection(variant)]) if variant else {}) as content:
        try:
            same = registered_version(registry, content.digest)
        except OutsideError as error:
            print_warnings([f"Whether this is a registered version is not known: {error.message}"])
            same = None
        yield replace(content, version_label=same.label, revision=commit_of(registry, same)) if same else content


async def _connections(settings: Settings, content: FlowContent) -> list[Connection]:
    """Prepare the flow, which tells the connections that it uses."""
    app = open_app(settings, content.flow.file)
    connections = app.connections()
    runner = await prepare(content.flow, connections, open_provider, urls=app.urls)
    print_warnings(runner.warnings)
    try:
        return list(connections.given())
    finally:
        await runner.close()


def _show(written: BuildFolder, output: Path, form: str) -> None:
    print_warnings(written.warnings)
    for file in written.files:
        click.echo(f"Wrote {file}")
    click.echo(f"Next: {_NEXT[form].format(folder=output)}")

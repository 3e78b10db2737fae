"""``flowyard flow``"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from flowyard._util.files import dump_json, write_atomic
from flowyard.app import App, open_app
from flowyard.cli.chat import chat
from flowyard.cli.flow_build import build
from flowyard.cli.flow_init import init
from flowyard.cli.options import SpreadCommand, read_settings, running_options, settings_options, values_or_file
from flowyard.cli.output import print_errors, print_json, print_warnings, user_prints_to_stderr
from flowyard.cli.serve import serve_flow
from flowyard.engine import prepare
from flowyard.errors import ExitCode, UserError
from flowyard.flows import Flow, load_flow
from flowyard.flows.variants import parse_selection
from flowyard.llm import open_provider
from flowyard.media import MediaWriter
from flowyard.runs.single import TryResult, node_values, require_inputs, try_line

__all__ = ["flow"]


@click.group()
def flow() -> None:
    """Make, test, check, serve and build one flow."""


flow.add_command(init)
flow.add_command(build)


@flow.command(cls=SpreadCommand)
@click.option("--flow", "source", required=True, metavar="PATH", help="The flow's folder or file.")
@click.option("--inputs", multiple=True, metavar="k=v…|FILE", help="Inputs, or a .json or .jsonl file (first line).")
@click.option("--init", multiple=True, metavar="k=v…|FILE", help="Arguments of a flow that is a class.")
@click.option("--variant", metavar="'${node.variant}'", help="Use this variant; other nodes use their defaults.")
@click.option("--node", metavar="NAME", help="Run this node alone.")
@click.option("--detail", metavar="DIR", help="Write flow.output.json, and the pictures in the outputs, here.")
@click.option("--interactive", is_flag=True, help="Chat with the flow, in the terminal or line by line from a pipe.")
@running_options
def test(
    source: str,
    inputs: tuple[str, ...],
    init: tuple[str, ...],
    variant: str | None,
    node: str | None,
    detail: str | None,
    interactive: bool,
    home: str | None,
    env_file: str | None,
    simulate: str | None,
    as_json: bool,
) -> int:
    """Run a flow, or one of its nodes, on one set of inputs and print the outputs as JSON; or chat with it.

    Pictures in the outputs are printed in base64 or, with --detail, as paths of files.
    """
    app = open_app(read_settings(home, env_file, simulate), Path(source))
    values = values_or_file(inputs, "--inputs")
    selected = dict([parse_selection(variant)]) if variant else {}
    given_init = values_or_file(init, "--init")
    if interactive:
        if node or as_json:
            raise UserError("--interactive chats with a whole flow, so it takes neither --node nor --json.")
        return _chat(app, load_flow(source, selected), values, given_init)
    folder = Path(detail) if detail else None
    indent = None if as_json else 2
    return asyncio.run(_test(app, Path(source), values, given_init, selected, node, folder, indent))


def _chat(app: App, loaded: Flow, values: dict[str, Any], init: dict[str, Any]) -> int:
    with asyncio.Runner() as loop:
        with user_prints_to_stderr():
            runner = loop.run(prepare(loaded, app.connections(), open_provider, init=init, urls=app.urls))
        print_warnings(runner.warnings)
        try:
            return chat(loop, runner, values)
        finally:
            loop.run(runner.close())


async def _test(
    app: App,
    path: Path,
    values: dict[str, Any],
    init: dict[str, Any],
    selected: dict[str, str],
    node: str | None,
    detail: Path | None,
    indent: int | None,
) -> int:
    loaded = load_flow(path, selected)
    with user_prints_to_stderr():
        runner = await prepare(loaded, app.connections(), open_provider, init=init, only=node, urls=app.urls)
        print_warnings(runner.warnings)
        try:
            given = node_values(runner.flow, node, values) if node else require_inputs(runner.flow, values)
            media = MediaWriter(detail / "output", loaded.message_format, base=detail) if detail else None
            result = await try_line(runner, given, node, media)
            print_warnings(runner.late_warnings())
        finally:
            await runner.close()
    if result.error:
        print_errors([("", result.error)], 1)
        wrong_input = result.error.type in ("InputMissing", "InputInvalid")
        return ExitCode.WRONG_INPUT if wrong_input else ExitCode.FAILED_LINES
    if detail:
        _write_outputs(detail, result)
    print_json(result.outputs, indent=indent)
    if result.usage.simulated_calls:
        click.echo("Simulated model: no real model was called.", err=True)
    print_errors((("aggregation", error) for error in result.aggregation_errors), len(result.aggregation_errors))
    if result.metrics:
        click.echo("Metrics: " + ", ".join(f"{name}={value}" for name, value in result.metrics.items()), err=True)
    return ExitCode.FAILED_LINES if result.aggregation_errors else ExitCode.DONE


def _write_outputs(folder: Path, result: TryResult) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / "flow.output.json", dump_json(result.outputs, indent=2) + "\n")


@flow.command(cls=SpreadCommand)
@click.option("--source", "--flow", "source", required=True, metavar="PATH", help="The flow's folder or file.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0 takes a free one.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--init", multiple=True, metavar="k=v…|FILE", help="Arguments of a flow that is a class.")
@click.option("--ready-file", metavar="FILE", help="Write the address here once it answers.")
@click.option("--engine", type=click.Choice(["flask", "fastapi"]), hidden=True, help="Accepted and without effect.")
@click.option("--skip-open-browser", is_flag=True, hidden=True, help="Accepted: no browser is ever opened.")
@settings_options
def serve(
    source: str,
    port: int,
    host: str,
    init: tuple[str, ...],
    ready_file: str | None,
    engine: str | None,  # noqa: ARG001
    skip_open_browser: bool,  # noqa: ARG001
    home: str | None,
    env_file: str | None,
    simulate: str | None,
) -> None:
    """Serve a flow over HTTP: POST /score, GET /health, /version, /swagger.json."""
    app = open_app(read_settings(home, env_file, simulate), Path(source))
    serve_flow(app, Path(source), values_or_file(init, "--init"), host, port, Path(ready_file) if ready_file else None)


@flow.command(cls=SpreadCommand)
@click.option("--source", "--flow", "source", required=True, metavar="PATH", help="The flow's folder or file.")
@click.option("--init", multiple=True, metavar="k=v…|FILE", help="Arguments of a flow that is a class.")
@running_options
def validate(
    source: str, init: tuple[str, ...], home: str | None, env_file: str | None, simulate: str | None, as_json: bool
) -> None:
    """Check a flow without running it: its file, code, templates and connections, every variant of every node."""
    app = open_app(read_settings(home, env_file, simulate), Path(source))
    with user_prints_to_stderr():
        checked = asyncio.run(_validate(app, Path(source), values_or_file(init, "--init")))
    if as_json:
        print_json({"flow": source, "valid": True, "checked": checked})
    else:
        click.echo(f"{source} is valid ({', '.join(checked)}).")


async def _validate(app: App, path: Path, init: dict[str, Any]) -> list[str]:
    """Prepare the defaults and then every other variant; returns what was checked."""
    default = load_flow(path)
    others = [(node, variant) for node, ids in default.variants.items() for variant in ids[1:]]
    warnings: list[str] = []
    for selected in [{}, *({node: variant} for node, variant in others)]:
        runner = await prepare(load_flow(path, selected), app.connections(), open_provider, init=init, urls=app.urls)
        warnings += runner.warnings
        await runner.close()
    print_warnings(dict.fromkeys(warnings))
    return ["defaults", *(f"{node}.{variant}" for node, variant in others)]

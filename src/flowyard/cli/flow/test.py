"""``flowyard flow test``"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from flowyard._util.files import dump_json, write_atomic
from flowyard._util.redact import redact_json
from flowyard.app import App, open_app
from flowyard.cli.flow.chat import chat
from flowyard.cli.shared.options import (
    SpreadCommand,
    environment_option,
    environment_variables,
    read_settings,
    running_options,
    values_or_file,
)
from flowyard.cli.shared.output import print_errors, print_json, print_warnings, user_prints_to_stderr
from flowyard.engine import LineRunner, prepare
from flowyard.errors import ExitCode, UserError
from flowyard.flows import Flow
from flowyard.flows.load import load_flow
from flowyard.flows.variants import parse_selection
from flowyard.llm import open_provider
from flowyard.media import MediaWriter
from flowyard.runs.single import TryResult, node_values, require_inputs, try_line

__all__ = ["test"]


@click.command(cls=SpreadCommand)
@click.option("--flow", "source", required=True, metavar="PATH", help="The flow's folder or file.")
@click.option("--inputs", multiple=True, metavar="k=v…|FILE", help="Inputs, or a .json or .jsonl file (first line).")
@click.option("--init", multiple=True, metavar="k=v…|FILE", help="Arguments of a flow that is a class.")
@click.option("--variant", metavar="'${node.variant}'", help="Use this variant; other nodes use their defaults.")
@environment_option
@click.option("--node", metavar="NAME", help="Run this node alone.")
@click.option("--detail", metavar="DIR", help="Write flow.output.json, and the pictures in the outputs, here.")
@click.option("--interactive", is_flag=True, help="Chat with the flow, in the terminal or line by line from a pipe.")
@running_options
def test(
    source: str,
    inputs: tuple[str, ...],
    init: tuple[str, ...],
    variant: str | None,
    environment_variables: tuple[str, ...],
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
    given, init_values = values_or_file(inputs, "--inputs"), values_or_file(init, "--init")
    flow = load_flow(source, dict([parse_selection(variant)]) if variant else {})
    trial = _Trial(app, with_variables(flow, environment_variables), given, init_values)
    if not interactive:
        return asyncio.run(trial.run(node, Path(detail) if detail else None, indent=None if as_json else 2))
    if node or as_json:
        raise UserError("--interactive chats with a whole flow, so it takes neither --node nor --json.")
    return trial.chat()


def with_variables(flow: Flow, given: tuple[str, ...]) -> Flow:
    """The flow with the variables of the command line over its own."""
    return replace(flow, environment_variables={**flow.environment_variables, **environment_variables(given)})


@dataclass(frozen=True, slots=True)
class _Trial:
    """A flow to be tried: with inputs, and the arguments of its class."""

    app: App
    flow: Flow
    inputs: dict[str, Any]
    init: Mapping[str, Any]

    def chat(self) -> int:
        """Talk with the flow until the person ends it."""
        with asyncio.Runner() as loop:
            with user_prints_to_stderr():
                runner = loop.run(self._prepared(None))
            print_warnings((*runner.warnings, *runner.stream_warnings()))
            try:
                return chat(loop, runner, self.inputs)
            finally:
                loop.run(runner.close())

    async def run(self, node: str | None, detail: Path | None, indent: int | None) -> int:
        """Run the flow or one node once and print what came out; ``detail`` is a folder for it."""
        with user_prints_to_stderr():
            runner = await self._prepared(node)
            print_warnings(runner.warnings)
            try:
                flow = runner.flow
                given = node_values(flow, node, self.inputs) if node else require_inputs(flow, self.inputs)
                media = MediaWriter(detail / "output", flow.message_format, base=detail) if detail else None
                result = await try_line(runner, given, node, media)
                print_warnings(runner.late_warnings())
            finally:
                await runner.close()
        hidden = redact_json(dump_json(result.outputs), runner.secrets())
        return _print(replace(result, outputs=json.loads(hidden)), detail, indent)

    async def _prepared(self, only: str | None) -> LineRunner:
        app = self.app
        connections = app.connections()
        return await prepare(self.flow, connections, open_provider, init=self.init, only=only, urls=app.urls)


def _print(result: TryResult, detail: Path | None, indent: int | None) -> int:
    """Print the outputs, or why there are none; returns the exit code."""
    if result.error:
        print_errors([("", result.error)], 1)
        wrong_input = result.error.type in ("InputMissing", "InputInvalid")
        return ExitCode.WRONG_INPUT if wrong_input else ExitCode.FAILED_LINES
    if detail:
        detail.mkdir(parents=True, exist_ok=True)
        write_atomic(detail / "flow.output.json", dump_json(result.outputs, indent=2) + "\n")
    print_json(result.outputs, indent=indent)
    if result.usage.simulated_calls:
        click.echo("Simulated model: no real model was called.", err=True)
    print_errors((("aggregation", error) for error in result.aggregation_errors), len(result.aggregation_errors))
    if result.metrics:
        click.echo("Metrics: " + ", ".join(f"{name}={value}" for name, value in result.metrics.items()), err=True)
    return ExitCode.FAILED_LINES if result.aggregation_errors else ExitCode.DONE

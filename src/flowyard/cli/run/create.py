"""``flowyard run create``"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from flowyard._util.suggest import known_names
from flowyard.app import App, open_app
from flowyard.cli.run.recorded_judge import recorded_judge
from flowyard.cli.shared.many_lines import ManyLines, many_lines_options
from flowyard.cli.shared.options import (
    SpreadCommand,
    environment_option,
    pairs,
    pairs_or_file,
    read_settings,
    running_options,
    typed_pairs,
)
from flowyard.cli.shared.output import failed_lines_code, print_run_record, print_warnings
from flowyard.cli.shared.pacing_options import budget_code
from flowyard.cli.shared.progress import choose_progress
from flowyard.cli.shared.registered_data import registered_data
from flowyard.errors import UserError
from flowyard.flows.overrides import parse_overrides
from flowyard.records import RunRecord
from flowyard.runs import RunRequest, execute_run
from flowyard.runs.budget import Budget
from flowyard.runs.options import RunOptions
from flowyard.runs.register import register_run
from flowyard.runs.repeat import resume_request
from flowyard.runs.run_file import RunDescription, read_run_file
from flowyard.settings import Settings

__all__ = ["create"]


@click.command(cls=SpreadCommand)
@click.option("-f", "--file", metavar="FILE", help="A run.yaml; what is given beside it goes over it.")
@click.option("--flow", metavar="PATH", help="The flow's folder or file.")
@click.option("--data", metavar="PATH", help="The data: a file, a folder, a pattern, a URL, or registry:NAME:VERSION.")
@click.option("--column-mapping", multiple=True, metavar="k=v…", help="Input from column: question='${data.q}'.")
@click.option("--run", "base_run", metavar="NAME", help="Evaluate this run: its outputs are ${run.outputs.…}.")
@click.option("--variant", metavar="'${node.variant}'", help="Use this variant; other nodes use their defaults.")
@click.option("--connections", multiple=True, metavar="node.key=v…", help="Another connection, deployment or model.")
@click.option(
    "--parameter", "parameters", multiple=True, metavar="NAME=v…", help="A value in the flow: node.temperature=0."
)
@environment_option
@click.option("--init", multiple=True, metavar="k=v…|FILE", help="Arguments of a flow that is a class.")
@click.option("-n", "--name", metavar="NAME", help="The run's name (default: made from flow and time).")
@click.option("--set", "settings", multiple=True, metavar="key=v…", help="Any key of run.yaml: display_name, tags.x, …")
@click.option("--resume-from", metavar="NAME", help="Take over what this run completed and run the rest.")
@click.option("--source", metavar="FOLDER", help="Register a run that prompt flow wrote, or that was exported.")
@click.option("-s", "--stream", is_flag=True, help="Print each line as it finishes.")
@click.option("--max-failed-lines", type=click.IntRange(0), default=0, help="Exit 0 although up to N lines failed.")
@many_lines_options
@running_options
def create(
    file: str | None,
    column_mapping: tuple[str, ...],
    base_run: str | None,
    connections: tuple[str, ...],
    environment_variables: tuple[str, ...],
    init: tuple[str, ...],
    parameters: tuple[str, ...],
    settings: tuple[str, ...],
    stream: bool,
    many: ManyLines,
    max_failed_lines: int,
    home: str | None,
    env_file: str | None,
    simulate: str | None,
    as_json: bool,
    **plain: str | None,
) -> int:
    """Run a flow over every row of the data. Exits 1 when lines failed."""
    described = _described(
        file,
        pairs(settings, "--set"),
        {
            **plain,
            "run": base_run,
            "column_mapping": pairs(column_mapping, "--column-mapping"),
            "connections": parse_overrides(pairs(connections, "--connections")),
            "environment_variables": pairs_or_file(environment_variables, "--environment-variables"),
            "init": pairs_or_file(init, "--init"),
            "parameters": typed_pairs(parameters, "--parameter"),
        },
    )
    print_warnings(described.warnings)
    place = read_settings(home, env_file, simulate)
    if described.values.get("source"):
        record, budget = _register(described, place), Budget()
    else:
        record, budget = _execute(described, place, many=many, stream=stream)
    print_run_record(record, as_json=as_json)
    return budget_code([record], budget) or failed_lines_code([record], max_failed_lines)


def _described(file: str | None, settings: Mapping[str, str], given: Mapping[str, Any]) -> RunDescription:
    """What file and options say together. Raises UserError for options that exclude each other."""
    described = read_run_file(Path(file)) if file else RunDescription()
    described = described.setting(settings).over(given)
    described.require_kinds()
    for key, allowed in _ALONE.items():
        others = sorted(set(described.values) - {key, *allowed})
        if described.values.get(key) and others:
            option = f"--{key.replace('_', '-')}"
            raise UserError(f"{option} cannot be used with {known_names(others)}.", hint=f"Leave out one or {option}.")
    return described


_LABELS = ("name", "display_name", "description", "tags")
_ALONE: Mapping[str, Iterable[str]] = {
    "source": _LABELS,
    "resume_from": (*_LABELS, "cache", "environment_variables", "init"),
}
"""Keys that say everything about a run, and what may still be given beside them."""


def _register(described: RunDescription, settings: Settings) -> RunRecord:
    app = open_app(settings)
    return register_run(Path(described.values["source"]), app.store, **described.labels())


def _execute(
    described: RunDescription, settings: Settings, *, many: ManyLines, stream: bool
) -> tuple[RunRecord, Budget]:
    app, request = _requested(described, settings, many.options)
    progress = choose_progress(stream=stream)
    parts = many.parts(app, progress, limits=described.limits(), cache=described.cache())
    return many.carry_out(app, execute_run(request, parts)), parts.budget


def _requested(described: RunDescription, settings: Settings, options: RunOptions) -> tuple[App, RunRequest]:
    if "resume_from" not in described.values:
        found = registered_data(described.values.get("data"), settings)
        if found is not None:
            described = described.over({"data": str(found.path)})
        request = described.request(options=options)
        if found is not None:
            request = replace(request, properties={**request.properties, **found.properties})
        return open_app(settings, described.path("flow")), request
    earlier = open_app(settings).store.get_run(described.values["resume_from"])
    judge = recorded_judge(earlier)
    request = resume_request(
        earlier,
        flow=judge.flow if judge else None,
        properties=earlier.properties if judge else {},
        environment_variables=described.environment_variables(),
        init=described.init(),
        options=options,
        **described.labels(),
    )
    return open_app(settings, Path(earlier.flow)), request

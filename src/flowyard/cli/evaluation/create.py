"""``flowyard evaluation create``"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from flowyard._util.suggest import known_names
from flowyard.app import open_app
from flowyard.cli.shared.many_lines import ManyLines, many_lines_options
from flowyard.cli.shared.options import SpreadCommand, pairs, read_settings, running_options
from flowyard.cli.shared.output import failed_lines_code, print_json, print_run_record, run_view
from flowyard.cli.shared.pacing_options import budget_code
from flowyard.cli.shared.progress import choose_progress
from flowyard.cli.shared.registered_data import registered_data
from flowyard.errors import UserError
from flowyard.evaluation.again import NamedEvaluator, evaluate_again
from flowyard.evaluation.subjects import EvaluatorSource
from flowyard.records import RunRecord
from flowyard.runs.dataset import absolute_source

__all__ = ["create"]


@click.command(cls=SpreadCommand)
@click.option("--run", "base_run", required=True, metavar="NAME", help="The run to judge.")
@click.option("--type", "types", multiple=True, metavar="TYPE", help="An evaluator of: flowyard evaluator list.")
@click.option("--python", "pythons", multiple=True, metavar="FILE.py:NAME", help="A Python function or class.")
@click.option("--flow", "flows", multiple=True, metavar="PATH", help="An evaluation flow.")
@click.option("--options", "given", multiple=True, metavar="k=v…", help="Options; of one among several: TYPE.k=v.")
@click.option("--column-mapping", multiple=True, metavar="k=v…", help="answer='${run.outputs.x}' label='${data.y}'")
@click.option("--data", metavar="PATH", help="What is expected: as --data of run create (default: that of the run).")
@click.option("-n", "--name", metavar="NAME", help="The name of the new run, when there is one evaluator.")
@click.option("--max-failed-lines", type=click.IntRange(0), default=0, help="Exit 0 although up to N lines failed.")
@many_lines_options
@running_options
def create(
    base_run: str,
    types: tuple[str, ...],
    pythons: tuple[str, ...],
    flows: tuple[str, ...],
    given: tuple[str, ...],
    column_mapping: tuple[str, ...],
    data: str | None,
    name: str | None,
    max_failed_lines: int,
    many: ManyLines,
    home: str | None,
    env_file: str | None,
    simulate: str | None,
    as_json: bool,
) -> int:
    """Judge a run that there is, by one or more evaluators. Exits 1 when lines failed."""
    evaluators = _evaluators(types, pythons, flows, pairs(given, "--options"))
    if name and len(evaluators) > 1:
        raise UserError("--name is for one evaluator.", hint="Leave it out; each run gets a name of its own.")
    settings = read_settings(home, env_file, simulate)
    base = open_app(settings).store.get_run(base_run)
    app = open_app(settings, Path(base.flow))
    parts = many.parts(app, choose_progress())
    found = registered_data(data, settings)
    source = found.path if found else absolute_source(data) if data else None
    mapping = pairs(column_mapping, "--column-mapping")
    properties = found.properties if found else {}
    work = evaluate_again(
        base, evaluators, source, mapping, parts, name=name, options=many.options, properties=properties
    )
    runs = many.carry_out(app, work)
    _print(base, runs, as_json=as_json)
    return budget_code(list(runs.values()), parts.budget) or failed_lines_code(runs.values(), max_failed_lines)


def _evaluators(
    types: tuple[str, ...], pythons: tuple[str, ...], flows: tuple[str, ...], given: dict[str, str]
) -> list[NamedEvaluator]:
    """Those that are named, each with its options. Raises UserError."""
    here = Path.cwd()
    sources = [
        *((each, EvaluatorSource(type=each, folder=here)) for each in types),
        *((each.rpartition(":")[2], EvaluatorSource(python=each, folder=here)) for each in pythons),
        *((Path(each).name, EvaluatorSource(flow=Path(each))) for each in flows),
    ]
    if not sources:
        raise UserError("There is no evaluator.", hint="Give --type TYPE, --python FILE.py:NAME or --flow PATH.")
    names = [name for name, _ in sources]
    if len(set(names)) < len(names):
        raise UserError(f"An evaluator is named twice: {known_names(names)}.", hint="Make two runs of it.")
    return [NamedEvaluator.of(name, source, _own_options(name, names, given)) for name, source in sources]


def _own_options(name: str, names: list[str], given: dict[str, str]) -> dict[str, str]:
    own = {key.removeprefix(f"{name}."): value for key, value in given.items() if key.startswith(f"{name}.")}
    plain = {key: value for key, value in given.items() if key.partition(".")[0] not in names}
    if plain and len(names) > 1:
        example = f"{names[0]}.{next(iter(plain))}=…"
        raise UserError(f"Whose options are {known_names(plain)}?", hint=f"Say it: --options {example}")
    return plain | own


def _print(base: RunRecord, runs: dict[str, RunRecord], *, as_json: bool) -> None:
    if as_json:
        views: list[dict[str, Any]] = [{"evaluator": name} | run_view(run) for name, run in runs.items()]
        print_json({"run": base.name, "evaluations": views})
        return
    for run in runs.values():
        print_run_record(run, as_json=False)
        click.echo()

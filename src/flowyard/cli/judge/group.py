"""``flowyard judge``"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from flowyard._util.suggest import did_you_mean, known_names
from flowyard._util.yamlfile import read_yaml
from flowyard.app import open_app
from flowyard.cli.judge.view import judge_check_view, print_judge_check
from flowyard.cli.lazy import WholeGroup
from flowyard.cli.shared.many_lines import ManyLines, many_lines_options
from flowyard.cli.shared.options import SpreadCommand, names_a_file, pairs, read_settings, running_options
from flowyard.cli.shared.output import failed_lines_code, print_json, print_warnings
from flowyard.cli.shared.pacing_options import budget_code
from flowyard.cli.shared.progress import choose_progress
from flowyard.decisions.judge_check import check_judge, judge_score
from flowyard.errors import UserError
from flowyard.evaluation.subjects import EvaluatorSource, find_subject
from flowyard.evaluation.table import DataTable
from flowyard.runs.dataset import absolute_source
from flowyard.runs.run import RunRequest, execute_run

__all__ = ["judge"]


@click.group(cls=WholeGroup)
def judge() -> None:
    """Check judges: evaluators that ask a language model for a grade."""


@judge.command(cls=SpreadCommand)
@click.option("--type", "kind", required=True, metavar="TYPE", help="The judge: rubric, groundedness, pairwise, …")
@click.option("--options", multiple=True, metavar="k=v…|FILE", help="Its options, or a YAML or JSON file of them.")
@click.option("--data", required=True, metavar="PATH", help="Rows with what is judged and people's labels.")
@click.option("--labels", required=True, metavar="COLUMN", help="The column with people's grades.")
@click.option("--column-mapping", multiple=True, metavar="k=v…", help="Input from column: answer='${data.reply}'.")
@click.option("--score", metavar="NAME", help="Which score of a judge that has several.")
@click.option("--most", type=click.IntRange(0), default=10, show_default=True, help="Differences to show.")
@many_lines_options
@running_options
def check(
    kind: str,
    options: tuple[str, ...],
    data: str,
    labels: str,
    column_mapping: tuple[str, ...],
    score: str | None,
    most: int,
    many: ManyLines,
    home: str | None,
    env_file: str | None,
    simulate: str | None,
    as_json: bool,
) -> int:
    """Let a judge grade lines that people graded, and show how far both agree. Exits 1 when lines failed."""
    settings = read_settings(home, env_file, simulate)  # before anything looks for runs
    given = _options(options)
    checked = judge_score(kind, given, score)
    subject = find_subject(EvaluatorSource(type=kind, options=given, folder=Path.cwd()))
    source = absolute_source(data)
    values = _column(DataTable.read(source), labels)
    app = open_app(settings)
    request = RunRequest(
        flow=subject.flow,
        data=source,
        column_mapping=subject.mapping(pairs(column_mapping, "--column-mapping")),
        dataset=Path(data).name,
        role="evaluation",
        options=many.options,
        properties=subject.properties,
        name=f"judge_{kind}_{datetime.now(UTC):%Y%m%d_%H%M%S_%f}",
    )
    parts = many.parts(app, choose_progress())
    run = many.carry_out(app, execute_run(request, parts))
    found = check_judge(run, checked, values, labels)
    print_warnings(run.warnings)
    if as_json:
        print_json(judge_check_view(replace(found, differences=found.differences[:most]), kind))
    else:
        print_judge_check(found, kind, most)
    return budget_code([run], parts.budget) or failed_lines_code([run])


def _column(table: DataTable, name: str) -> dict[int, Any]:
    """A column by line number. Raises UserError when there is none of that name."""
    if name not in table.columns:
        hint = did_you_mean(name, table.columns) or f"There are: {known_names(table.columns)}."
        raise UserError(f"--labels: the data has no column {name!r}.", hint=hint)
    return {row.number: row.values.get(name) for row in table.rows}


def _options(items: tuple[str, ...]) -> Mapping[str, Any]:
    """The judge's options; a value that is JSON is taken as such. Raises UserError."""
    if len(items) == 1 and names_a_file(items[0]):
        found = read_yaml(Path(items[0])).data
        if not isinstance(found, dict):
            raise UserError(f"{items[0]} must be a mapping of options.", hint="rubric: Is the answer …?")
        return found
    return {name: _value(text) for name, text in pairs(items, "--options").items()}


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text

"""``flowyard experiment show``"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from flowyard._util.files import dump_json
from flowyard.cli.shared.options import read_settings, store_options
from flowyard.cli.shared.output import print_json, print_warnings
from flowyard.cli.shared.tables import print_table
from flowyard.experiments.load import load_experiment
from flowyard.experiments.mappings import check_experiment
from flowyard.experiments.model import Experiment
from flowyard.experiments.origins import Origin, merged_blocks
from flowyard.registry import open_registry

__all__ = ["show"]


@click.command()
@click.argument("path", metavar="PATH")
@click.option("--env", metavar="NAME", help="Apply the overlay experiment.NAME.yaml.")
@store_options
def show(path: str, env: str | None, home: str | None, as_json: bool) -> int:
    """Show the experiment at PATH with an overlay applied: every value, and the file and line that it comes from."""
    registry = open_registry(read_settings(home))
    experiment = load_experiment(Path(path), env, resolve_dataset=registry.resolve)
    merged, origins = merged_blocks(Path(path), env)
    warnings, wrong = check_experiment(experiment)
    if as_json:
        print_json(_view(experiment, merged, origins, warnings))
    else:
        print_table(["key", "value", "from"], [[_place(each), _text(each.value), each.where] for each in origins])
        print_warnings(warnings)
    if wrong is not None:
        raise wrong
    return 0


def _view(
    experiment: Experiment, merged: Mapping[str, Any], origins: Sequence[Origin], warnings: Sequence[str]
) -> dict[str, Any]:
    return {
        "name": experiment.name,
        "env": experiment.env,
        "experiment": merged,
        "origins": [{"key": _place(each), "value": each.value, "where": each.where} for each in origins],
        "warnings": list(warnings),
    }


def _place(origin: Origin) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in origin.keys)[1:]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else dump_json(value)

"""``flowyard monitor export``"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click

from flowyard._util.files import dump_json
from flowyard._util.person import person_name
from flowyard.cli.monitor.next import next_datasets
from flowyard.cli.monitor.options import flow_named, require_known, window
from flowyard.cli.shared.options import read_settings, store_options
from flowyard.cli.shared.output import print_json
from flowyard.errors import UserError
from flowyard.production.alerts.model import DriftReference
from flowyard.production.alerts.policy_file import parse_reference
from flowyard.production.datasets.known_inputs import KnownInputs
from flowyard.production.datasets.lines import iter_dataset_lines
from flowyard.production.datasets.masks import parse_masks, require_columns
from flowyard.production.datasets.register import RegisteredLines, register_lines
from flowyard.production.datasets.review import read_reviewed, write_review
from flowyard.production.drift import DriftSettings, drifted_ids, observations
from flowyard.production.drift.reference import drift_of, open_reference
from flowyard.production.exchanges.chosen import FILTERS, with_filters
from flowyard.production.exchanges.lines import ExchangeFilter
from flowyard.production.store.store import ProductionStore, open_production
from flowyard.registry import Registry, Version, open_registry
from flowyard.runs.dataset import open_dataset
from flowyard.settings import Settings

__all__ = ["export"]


@click.command()
@click.argument("use_case", metavar="[USECASE]", required=False)
@click.option("--flow", metavar="NAME", help="The flow, as records name it.")
@click.option(
    "--filter", "filters", multiple=True, metavar="FILTER", help=f"All of: {', '.join(FILTERS)}; see the page."
)
@click.option("--since", default="7d", show_default=True, help="From when on: 90m, 24h, 7d, or a time.")
@click.option("--until", help="Until when (default: now).")
@click.option("--version", help="Only this version.")
@click.option("--arm", help="Only what this arm answered.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of sample:N.")
@click.option(
    "--not-in",
    "known",
    multiple=True,
    metavar="DATASET[:VERSION]",
    help="Without inputs that this dataset has in any version, or in this one; may be repeated.",
)
@click.option(
    "--mask",
    "masked",
    multiple=True,
    metavar="WHAT",
    help="Hide personal, email, phone, card, iban or ip in texts, or a column as inputs.NAME; may be repeated.",
)
@click.option("--to", "dataset", metavar="DATASET", help="The dataset to register a version of.")
@click.option("--review", type=click.Path(path_type=Path), help="Write a .csv or .jsonl for a person to edit instead.")
@click.option("--reviewed", type=click.Path(path_type=Path), help="Register such a file, without what it says no to.")
@store_options
def export(
    use_case: str | None,
    flow: str | None,
    filters: tuple[str, ...],
    since: str,
    until: str | None,
    version: str | None,
    arm: str | None,
    seed: int,
    known: tuple[str, ...],
    masked: tuple[str, ...],
    dataset: str | None,
    review: Path | None,
    reviewed: Path | None,
    home: str | None,
    as_json: bool,
) -> None:
    """Make a dataset of what production was asked and answered, with labels from feedback, each input once.

    USECASE is the folder with experiment.yaml. Filters: failed, thumbs-down, thumbs-up, low-score[:BELOW],
    low-judgement:EVALUATOR[.FIELD]:BELOW, slow[:SECONDS], drifted[:REFERENCE], sample:N; of several, all have to
    hold. One may have several, joined by 'and' and 'or'.
    """
    _check(dataset, review, reviewed)
    masks = parse_masks(masked)
    settings = read_settings(home)
    by = person_name(settings.environ)
    if reviewed is not None:
        lines = require_columns(map(masks.line, read_reviewed(reviewed)), masks)
        made = register_lines(open_registry(settings), lines, str(dataset), by)
        _print(made, use_case, as_json=as_json)
        return
    store = open_production(settings)
    name = require_known(flow_named(use_case, flow), store.flows(), "the flow", "--flow")
    plain = ExchangeFilter(name, window(since, until), version=version, arm=arm, seed=seed)
    wanted = with_filters(store, plain, filters, partial(_drifted, settings, store))
    registry = open_registry(settings)
    chosen, inputs = _chosen(filters, arm, seed, masked), _known_inputs(registry, known)
    found = (masks.line(line) for line in iter_dataset_lines(store, wanted, chosen, inputs, masks.inputs))
    lines = require_columns(found, masks)
    if review is None:
        _print(register_lines(registry, lines, str(dataset), by, wanted), use_case, as_json=as_json)
        return
    kept = list(lines)
    if not kept:
        raise UserError("There is no such exchange, so that nothing was written.", hint="Widen --since or --filter.")
    write_review(review, kept)
    _print_review(review, len(kept), as_json=as_json)


def _drifted(settings: Settings, store: ProductionStore, wanted: ExchangeFilter, reference: str) -> frozenset[str]:
    """The ids of exchanges that drifted from a reference, which is the time before unless it is named."""
    try:
        given = parse_reference(reference) if reference else DriftReference()
    except ValueError as error:
        raise UserError(f"--filter drifted: {error}.") from None
    normal = open_reference(settings, store, wanted.flow, given.source, given.before)
    current = observations(store, wanted.flow, wanted.window, version=wanted.version)
    return drifted_ids(drift_of(normal, current, wanted.window, DriftSettings()), current)


def _check(dataset: str | None, review: Path | None, reviewed: Path | None) -> None:
    """Raises UserError unless it is clear where lines come from and go."""
    if review is not None and (dataset is not None or reviewed is not None):
        raise UserError("--review registers nothing yet.", hint="Edit the file, then: --reviewed FILE --to DATASET")
    if review is None and dataset is None:
        raise UserError("Say where the lines go.", hint="--to DATASET, or --review FILE to look through them first")


def _known_inputs(registry: Registry, labels: Sequence[str]) -> KnownInputs:
    """The inputs of datasets, of all versions where none is named. Raises NotFound, UserError."""
    versions = [
        each
        for label in labels
        for each in ([registry.find(label)] if ":" in label or "@" in label else _versions(registry, label))
    ]
    sources = [registry.resolve(version.label) for version in versions]
    return KnownInputs(row.values for source in sources for row in open_dataset(source).rows() if row.error is None)


def _versions(registry: Registry, name: str) -> Sequence[Version]:
    return registry.versions(name) or [registry.find(name)]  # which says that there is none


def _chosen(filters: Sequence[str], arm: str | None, seed: int, masked: Sequence[str]) -> str:
    words = [f"{each} by seed {seed}" if each.startswith("sample") else each for each in filters]
    chosen = ", ".join([*words, *([f"arm {arm}"] if arm else [])]) or "all"
    return f"{chosen}, without {', '.join(masked)}" if masked else chosen


def _print(made: RegisteredLines, use_case: str | None, *, as_json: bool) -> None:
    version, is_new = made.registered.version, made.registered.is_new
    source = f"registry:{version.label}"
    datasets = next_datasets(use_case, source)
    if as_json:
        found = {"name": version.name, "version": version.version, "digest": version.digest, "lines": made.lines}
        print_json({**found, "new": is_new, "source": source, "overlay": {"datasets": datasets} if datasets else None})
        return
    known = "" if is_new else ", which has this content already"
    click.echo(f"{version.label}{known}: {made.lines:,} lines")
    if datasets:
        click.echo(f"For the next experiment, in experiment.{version.name}.yaml:")
        click.echo(f"  datasets: {dump_json(datasets)}")
        click.echo(f"  flowyard experiment run {use_case} --env {version.name}")


def _print_review(path: Path, lines: int, *, as_json: bool) -> None:
    if as_json:
        print_json({"review": str(path), "lines": lines})
        return
    click.echo(f"{path}: {lines:,} lines. Edit label and keep, then:")
    click.echo(f"  flowyard monitor export --reviewed {path} --to DATASET")

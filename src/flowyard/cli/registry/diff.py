"""``flowyard registry diff``"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from flowyard._util.files import write_atomic
from flowyard.cli.registry.options import find_kind, kind_option
from flowyard.cli.shared.options import read_settings, store_options
from flowyard.cli.shared.output import print_json
from flowyard.cli.shared.tables import print_table, printable
from flowyard.registry.diff import FileChange, SideRow, VersionDiff, compare_versions, side_by_side
from flowyard.registry.model import Kind
from flowyard.registry.open import open_registry
from flowyard.reports.values import plural
from flowyard.reports.version_diff import render_version_diff

__all__ = ["diff"]

_WIDE = 110
"""Columns from which on two prompts fit beside each other."""

_COLOURS = {"+": "green", "-": "red", "@": "cyan"}
_STYLES = {"changed": ("red", "green"), "removed": ("red", ""), "added": ("", "green"), "gap": ("dim", "dim")}


@click.command()
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@click.option("--html", metavar="FILE", type=click.Path(path_type=Path), help="Write the comparison as a page, too.")
@kind_option
@store_options
def diff(before: str, after: str, html: Path | None, kind: Kind | None, home: str | None, as_json: bool) -> None:
    """Show what changed from version A to version B: files, prompts, choices, and the metrics that moved."""
    registry = open_registry(read_settings(home))
    kind = find_kind(registry, before, kind)
    old, new = registry.find(before, kind), registry.find(after, kind)
    folders = (registry.folder(old), registry.folder(new))
    found = compare_versions(old, new, folders, (registry.facts(old), registry.facts(new)))
    if html is not None:
        html.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(html, render_version_diff(found))
    if as_json:
        print_json(_view(found))
        return
    _print(found)
    if html is not None:
        click.echo(f"\nWrote {html}")


def _view(found: VersionDiff) -> dict[str, Any]:
    """What machines get of a comparison; the names in it are a contract."""
    return {
        "before": _side(found, is_before=True),
        "after": _side(found, is_before=False),
        "same": found.is_same,
        "files": [
            {
                "name": file.name,
                "change": file.how,
                "bytes_before": file.size_before,
                "bytes_after": file.size_after,
                "diff": _unified(found, file) if file.is_text else None,
            }
            for file in found.files
        ],
        "unchanged_files": found.unchanged_files,
        "settings": [{"name": each.name, "before": each.before, "after": each.after} for each in found.settings],
        "simulated": found.simulated,
        "metrics": [
            {
                "metric": each.metric,
                "dataset": each.dataset,
                "evaluator": each.evaluator,
                "before": each.before,
                "after": each.after,
                "moved": each.moved,
            }
            for each in found.metrics
        ],
    }


def _side(found: VersionDiff, *, is_before: bool) -> dict[str, Any]:
    version = found.before if is_before else found.after
    return {"name": version.name, "kind": version.kind, "version": version.version, "digest": version.digest}


def _unified(found: VersionDiff, file: FileChange) -> list[str]:
    return file.unified(found.before.label, found.after.label)


def _print(found: VersionDiff) -> None:
    click.echo(f"{found.before.label} → {found.after.label}: {_summary(found)}")
    if found.settings:
        rows = [(each.name, _value(each.before), _value(each.after)) for each in found.settings]
        print_table(["choice", "before", "after"], rows)
    _print_metrics(found)
    width = Console().width
    for file in found.files:
        click.echo()
        click.secho(f"{file.how} {printable(file.name)}", bold=True)
        if not file.is_text:
            click.echo(f"  {_size(file.size_before)} → {_size(file.size_after)}")
        elif file.is_prompt and file.how == "changed" and width >= _WIDE:
            _print_sides(found, side_by_side(file.before or "", file.after or "", context=3))
        else:
            _print_unified(_unified(found, file))


def _print_metrics(found: VersionDiff) -> None:
    rows = [(each.metric, each.dataset, each.before, each.after, f"{each.moved:+.4g}") for each in found.moved]
    if rows:
        print_table(["metric", "dataset", "before", "after", "moved"], rows)
    for version, side in ((found.before, "before"), (found.after, "after")):
        count = sum(getattr(each, side) is not None for each in found.metrics if each.moved is None)
        if count:
            click.echo(f"{plural(count, 'metric')} {'is' if count == 1 else 'are'} known of {version.label} only.")
    if found.simulated and found.metrics:
        click.echo("Simulated: answers in these runs come from a simulated model.")


def _summary(found: VersionDiff) -> str:
    if found.is_same:
        return "the same content"
    counts = {how: sum(file.how == how for file in found.files) for how in ("added", "removed", "changed")}
    said = [f"{count} {how}" for how, count in counts.items() if count]
    return f"files: {', '.join([*said, f'{found.unchanged_files} the same'])}"


def _print_unified(lines: list[str]) -> None:
    for number, line in enumerate(lines):
        colour = None if number < 2 else _COLOURS.get(line[:1])
        click.secho("  " + printable(line).replace("\n", " "), fg=colour, bold=number < 2 or None)


def _print_sides(found: VersionDiff, rows: list[SideRow]) -> None:
    table = Table(box=None, show_edge=False, pad_edge=False, expand=True, padding=(0, 1))
    for version in (found.before, found.after):
        table.add_column(Text(version.label), overflow="fold", ratio=1)
    for row in rows:
        left, right = _STYLES.get(row.how, ("", ""))
        table.add_row(Text(printable(row.before), style=left), Text(printable(row.after), style=right))
    Console().print(table)


def _value(value: Any) -> Any:
    return "" if value is None else value


def _size(size: int | None) -> str:
    return "nothing" if size is None else f"{size:,} bytes"

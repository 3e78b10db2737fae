"""``flowyard run visualize`` and ``export``"""

from __future__ import annotations

import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path

import click

from flowyard.cli.experiment.look import print_reports
from flowyard.cli.shared.options import open_store, store_options
from flowyard.cli.shared.output import print_json
from flowyard.errors import UserError
from flowyard.reports import (
    FORMATS,
    compare_runs,
    comparison_page,
    evidence_of_runs,
    report_paths,
    write_formats,
    write_page,
)
from flowyard.runs.export import export_run

__all__ = ["export", "visualize"]


@click.command()
@click.option("-n", "--names", "--name", required=True, metavar="A,B,…", help="The runs, separated by commas.")
@click.option("--html-path", metavar="FILE", help="Where to write the page (default: in the home, by the names).")
@click.option(
    "--format",
    "formats",
    multiple=True,
    type=click.Choice([name for name in FORMATS if name != "html"]),
    help="Write this report besides the page, into a folder of its name; may be repeated.",
)
@store_options
def visualize(names: str, html_path: str | None, formats: tuple[str, ...], home: str | None, as_json: bool) -> None:
    """Write a page that shows runs side by side; on a terminal, open it."""
    store = open_store(home)
    wanted = list(dict.fromkeys(name.strip() for name in names.split(",") if name.strip()))
    if not wanted:
        raise UserError("--names names no run.", hint="Write --names first,second.")
    comparison = compare_runs([store.get_run(name) for name in wanted])
    evidence = evidence_of_runs(comparison)
    page = write_page(comparison, evidence, _page_path(html_path, store.home, wanted)).resolve()
    files = write_formats(comparison, evidence, page.with_suffix(""), formats) if formats else {}
    if as_json:
        print_json({"names": wanted, "page": str(page)} | ({"reports": report_paths(files)} if files else {}))
    else:
        click.echo(str(page))
        print_reports(files)
    if sys.stdout.isatty() and not as_json:
        webbrowser.open(page.as_uri())


def _page_path(chosen: str | None, home: Path, names: Sequence[str]) -> Path:
    """The chosen file, or one of its own for these runs, so that one comparison never replaces another."""
    if chosen is None:
        return comparison_page(home, names)
    path = Path(chosen)
    if path.is_dir() or not path.parent.is_dir():
        problem = "is a folder" if path.is_dir() else "is in a folder that does not exist"
        raise UserError(f"--html-path: {chosen} {problem}.", hint="Name a file in a folder that exists.")
    return path


@click.command()
@click.option("-n", "--name", required=True)
@click.option("-o", "--output", required=True, metavar="FOLDER", help="A new or empty folder.")
@store_options
def export(name: str, output: str, home: str | None, as_json: bool) -> None:
    """Write a run as the folder that prompt flow leaves, for scripts that read such folders."""
    folder = export_run(open_store(home).get_run(name), Path(output))
    if as_json:
        print_json({"name": name, "folder": str(folder.resolve())})
    else:
        click.echo(str(folder))

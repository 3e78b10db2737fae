"""``flowyard monitor collect``"""

from __future__ import annotations

import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from flowyard._util.printable import printable_text
from flowyard.cli.shared.options import read_settings, store_options
from flowyard.cli.shared.output import print_json, print_warnings
from flowyard.production.store.collect import Collected, follow
from flowyard.production.store.collect import collect as collect_folders
from flowyard.production.store.store import open_production

__all__ = ["collect"]


@click.command()
@click.argument("folders", metavar="FOLDER…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--follow", "follows", is_flag=True, help="Go on until Ctrl-C or SIGTERM.")
@click.option("--every", "every_s", type=click.FloatRange(0.1, 3600), default=5.0, help="Seconds between two looks.")
@store_options
def collect(folders: tuple[Path, ...], follows: bool, every_s: float, home: str | None, as_json: bool) -> None:
    """Take what is new in FOLDER… into the store: each record once, however often and by how many it is called.

    With --follow --json, one line of JSON for each look that found something.
    """
    store = open_production(read_settings(home))
    if follows:
        named = ", ".join(printable_text(str(folder)) for folder in folders)
        click.echo(f"Collecting from {named} every {every_s:g} s, until Ctrl-C.", err=True)
        follow(store, folders, every_s, threading.Event(), lambda found: _print_look(found, as_json=as_json))
        return
    started = time.perf_counter()
    collected = collect_folders(store, folders)
    _print(collected, time.perf_counter() - started, as_json=as_json)


def _print(collected: Collected, took_s: float, *, as_json: bool) -> None:
    if as_json:
        print_json({**_view(collected), "duration_s": round(took_s, 3)})
    else:
        rate = f", {collected.records / took_s:,.0f} records/s" if collected.records else ""
        click.echo(f"{_sentence(collected)}{rate}")
    if not collected.files:
        print_warnings(
            ["There are no files of records yet: a flow writes them where FLOWYARD_SERVE_RECORDS names a folder."]
        )
    _warn(collected)


def _print_look(collected: Collected, *, as_json: bool) -> None:
    """One look of many: silent when there was nothing."""
    if collected.bytes and as_json:
        print_json(_view(collected), indent=None)
    elif collected.bytes:
        click.echo(_sentence(collected))
    _warn(collected)


def _sentence(collected: Collected) -> str:
    kinds = f"{collected.exchanges:,} exchanges, {collected.feedback:,} feedback, {collected.exposures:,} exposures"
    return f"{collected.new:,} new of {collected.records:,} records read ({kinds})"


def _warn(collected: Collected) -> None:
    named = [f"{each.where}: {each.reason}" for each in collected.named]
    rest = collected.broken - len(named)
    more = [f"{rest:,} more lines are no records"] if rest else []
    others = [f"{collected.others:,} records are of a kind that is not known here"] if collected.others else []
    print_warnings([*named, *more, *others])


def _view(collected: Collected) -> dict[str, Any]:
    """What machines get: the names in it are a contract."""
    view = asdict(collected)
    named = view.pop("named")
    return {**view, "records": collected.records, "broken_lines": named}

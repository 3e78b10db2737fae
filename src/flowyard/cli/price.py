"""``flowyard price``"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from flowyard._util.suggest import did_you_mean
from flowyard.cli.lazy import WholeGroup
from flowyard.cli.shared.options import read_settings, store_options
from flowyard.cli.shared.output import print_json
from flowyard.cli.shared.pacing_options import price_folders
from flowyard.cli.shared.tables import print_table
from flowyard.errors import NotFound
from flowyard.llm.prices import OUR_PRICES, Price, Prices, find_price_files

__all__ = ["price"]

_prices = click.option("--prices", metavar="FILE", help="A table of prices over the one that comes with flowyard.")


@click.group(cls=WholeGroup)
def price() -> None:
    """What models cost. The prices are public list prices of a date: check them, and put yours into prices.yaml."""


@price.command("list")
@_prices
@store_options
def list_(prices: str | None, home: str | None, as_json: bool) -> None:
    """List all prices that hold, in US dollars for a million tokens."""
    listed = _opened(prices, home).listed()
    if as_json:
        print_json([_view(each) for each in listed])
    else:
        _print(listed)


@price.command()
@click.argument("model")
@_prices
@store_options
def show(model: str, prices: str | None, home: str | None, as_json: bool) -> None:
    """Show the price that holds for MODEL, which may be a dated release of a model in the table."""
    opened = _opened(prices, home)
    found = opened.find(model)
    if found is None:
        near = did_you_mean(model, [each.model for each in opened.listed()])
        entry = f"models: {{{json.dumps(model)}: {{prompt: …, completion: …}}}}"
        hint = f"{near or ''} Put it into prices.yaml: {entry}".strip()
        raise NotFound(f"There is no known price for {model!r}.", hint=hint)
    if as_json:
        print_json(_view(found))
    else:
        _print([found])


def _opened(prices: str | None, home: str | None) -> Prices:
    return Prices(find_price_files(price_folders(read_settings(home)), Path(prices) if prices else None))


def _view(price: Price) -> dict[str, Any]:
    return {
        "model": price.model,
        "prompt": price.prompt,
        "cached_prompt": price.cached_prompt,
        "completion": price.completion,
        "as_of": price.as_of,
        "file": str(price.file),
    }


def _print(listed: list[Price]) -> None:
    rows = [
        (each.model, each.prompt, each.cached_prompt, each.completion, each.as_of, _place(each.file)) for each in listed
    ]
    print_table(["model", "prompt", "cached prompt", "completion", "as of", "from"], rows)
    click.echo("US dollars for a million tokens. Check them against your own contract.")


def _place(file: Path) -> str:
    return "flowyard" if file == OUR_PRICES else str(file)

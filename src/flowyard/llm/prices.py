"""What model calls cost: a table that comes with flowyard, and tables of users over it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from flowyard._util.suggest import did_you_mean
from flowyard._util.yamlfile import YamlFile, read_yaml
from flowyard.errors import UserError
from flowyard.records import Usage

__all__ = ["OUR_PRICES", "Price", "PriceTable", "Prices", "find_price_files", "load_price_table"]

OUR_PRICES = Path(__file__).with_name("prices.yaml")
"""The table that comes with flowyard."""

_FILE_NAME = "prices.yaml"
_MILLION = 1_000_000.0
_FIELDS = ("prompt", "completion", "cached_prompt")
_KEYS = ("as_of", "models")
_DATED = re.compile(r"^(-\d{4}-\d{2}-\d{2}|-\d{4}|-\d{6}|-\d{8}|-latest|@\d{8})?$")
"""What may follow a model's name without making it another model."""


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars for a million tokens; ``file`` is the table that says so. Of ``cached_prompt`` None is as ``prompt``."""

    model: str
    prompt: float
    completion: float = 0.0
    cached_prompt: float | None = None
    as_of: str | None = None
    file: Path = OUR_PRICES

    def cost_usd(self, usage: Mapping[str, Any]) -> float:
        """What a call costs by the ``usage`` of its answer, in OpenAI's form."""
        prompt, cached = _count(usage, "prompt_tokens"), _count(usage.get("prompt_tokens_details"), "cached_tokens")
        cached = min(cached, prompt)
        cached_price = self.prompt if self.cached_prompt is None else self.cached_prompt
        completion = _count(usage, "completion_tokens")
        return ((prompt - cached) * self.prompt + cached * cached_price + completion * self.completion) / _MILLION


@dataclass(frozen=True, slots=True)
class PriceTable:
    """One file of prices, by model."""

    file: Path
    as_of: str | None
    prices: Mapping[str, Price]

    def find(self, model: str) -> Price | None:
        """The price of a model: of its exact name, else of the longest name that it is a dated release of."""
        exact = self.prices.get(model)
        if exact is not None:
            return exact
        names = [name for name in self.prices if model.startswith(name) and _DATED.match(model[len(name) :])]
        return self.prices[max(names, key=len)] if names else None


class Prices:
    """The prices that hold: the user's tables first, in their order, then ours. Files are read when first needed."""

    def __init__(self, files: Sequence[Path] = ()) -> None:
        self._files = (*files, OUR_PRICES)
        self._found: dict[tuple[str, str], Price | None] = {}

    def find(self, asked: str, answered: str = "") -> Price | None:
        """The price of a call, by the model or deployment that was asked and the model that says it answered.

        A deployment can have any name, so what answered counts more, unless a table names exactly what was asked.
        """
        key = (asked, answered)
        if key not in self._found:
            self._found[key] = self._look_up(asked, answered)
        return self._found[key]

    def read_ahead(self) -> None:
        """Read the tables now; what is wrong with one is said by whoever looks something up."""
        with suppress(UserError, OSError):
            self._tables()

    def listed(self) -> list[Price]:
        """Every price that holds, by model."""
        found: dict[str, Price] = {}
        for table in reversed(self._tables()):
            found |= table.prices
        return sorted(found.values(), key=lambda price: price.model)

    def priced(self, usage: Usage, model: str, body: Mapping[str, Any]) -> Usage:
        """The usage of one call with its cost, or as unpriced; kept answers with what they spared instead."""
        if usage.simulated_calls or not (usage.calls or usage.cached_calls):
            return usage
        counts = body.get("usage")
        price = self.find(model, str(body.get("model") or "")) if isinstance(counts, Mapping) and counts else None
        if usage.cached_calls:
            return replace(usage, saved_usd=price.cost_usd(counts)) if price and counts else usage
        if price is None or not counts:
            return replace(usage, unpriced_calls=usage.calls)
        return replace(usage, cost_usd=price.cost_usd(counts))

    def _tables(self) -> list[PriceTable]:
        return [load_price_table(file) for file in self._files]

    def _look_up(self, asked: str, answered: str) -> Price | None:
        tables = self._tables()
        for table in tables[:-1]:
            if asked in table.prices:
                return table.prices[asked]
        names = [name for name in (answered, asked) if name]
        found = (table.find(name) for table in tables for name in names)
        return next((price for price in found if price is not None), None)


def find_price_files(folders: Iterable[Path], named: Path | None = None) -> tuple[Path, ...]:
    """The tables of the user: the one that was named, then the ``prices.yaml`` of each folder. Raises UserError."""
    files = [folder / _FILE_NAME for folder in folders]
    found = [*([named] if named else []), *(file for file in files if file.is_file())]
    for file in found:
        load_price_table(file.resolve())
    return tuple(dict.fromkeys(file.resolve() for file in found))


@lru_cache(maxsize=32)
def load_price_table(file: Path) -> PriceTable:
    """Read a table of prices. Raises UserError with file:line."""
    read = read_yaml(file)
    data = read.data
    if not isinstance(data, dict) or not isinstance(data.get("models"), dict):
        hint = "It needs models: {gpt-4o: {prompt: 2.5, completion: 10}} in dollars for a million tokens."
        raise UserError(f"{file} is not a table of prices.", hint=hint, where=read.where())
    _require_known(read, data, _KEYS)
    as_of = None if data.get("as_of") is None else str(data["as_of"])
    prices = {str(model): _price(read, str(model), value, as_of) for model, value in data["models"].items()}
    return PriceTable(file, as_of, prices)


def _price(read: YamlFile, model: str, value: Any, as_of: str | None) -> Price:
    keys = ("models", model)
    if not isinstance(value, dict) or "prompt" not in value:
        hint = "{prompt: 2.5, completion: 10}, in dollars for a million tokens"
        raise UserError(f"The price of {model!r} needs 'prompt'.", hint=hint, where=read.where(*keys))
    _require_known(read, value, _FIELDS, *keys)
    numbers = {}
    for field, number in value.items():
        is_number = isinstance(number, int | float) and not isinstance(number, bool)
        if not is_number or not 0 <= number < math.inf:
            where = read.where(*keys, field)
            raise UserError(f"The price of {model!r}: {field} is not a number of dollars.", where=where)
        numbers[field] = float(number)
    return Price(model, as_of=as_of, file=read.path, **numbers)


def _require_known(read: YamlFile, data: Mapping[Any, Any], known: Sequence[str], *keys: str) -> None:
    for key in data:
        if key not in known:
            hint = did_you_mean(str(key), known) or f"Known keys: {', '.join(known)}."
            raise UserError(f"Unknown key {key!r} in a table of prices.", hint=hint, where=read.where(*keys, str(key)))


def _count(counts: Any, name: str) -> int:
    """A count of tokens as an endpoint gives it, which may be anything."""
    value = counts.get(name) if isinstance(counts, Mapping) else None
    return value if isinstance(value, int) and value > 0 else 0

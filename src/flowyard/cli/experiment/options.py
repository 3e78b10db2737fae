"""Options that say what of an experiment's search space is run."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from flowyard._util.yamlfile import parse_yaml
from flowyard.cli.shared.option_groups import Command, grouped
from flowyard.errors import UserError

__all__ = ["SpaceOptions", "space_options"]

_OPTION = Path("--parameter")


@dataclass(frozen=True, slots=True)
class SpaceOptions:
    """What goes over the file: ``variants`` over the block of that name, values over single parameters."""

    variants: str | None
    parameters: Mapping[str, Sequence[Any]]


def space_options(command: Command) -> Command:
    """``--variants`` and ``--parameter``; the command gets their values as ``space``."""

    @functools.wraps(command)
    def with_values(**values: Any) -> Any:
        variants, parameters = values.pop("variants"), values.pop("parameters")
        return command(space=SpaceOptions(variants, dict(map(_parameter, parameters))), **values)

    return grouped(
        with_values,
        click.option(
            "--variants",
            metavar="all|defaults|node.variant,…",
            help="Instead of the file's variants; all: each once, the other nodes at their defaults.",
        ),
        click.option(
            "--parameter",
            "parameters",
            multiple=True,
            metavar="NAME=v[,v]",
            help="Values to try: classify.temperature=0,0.5. Repeatable; goes over the file's.",
        ),
    )


def _parameter(item: str) -> tuple[str, list[Any]]:
    """``NAME=v,v`` with its values read as a YAML list."""
    name, equals, text = item.partition("=")
    if not equals or not name.strip() or not text.strip():
        hint = "For example: --parameter classify.temperature=0,0.5"
        raise UserError(f"--parameter takes NAME=value[,value], not {item!r}.", hint=hint)
    try:
        values = parse_yaml(f"[{text}]", _OPTION).data
    except UserError:
        hint = "Values are written as in YAML; put texts with commas or colons into quotes."
        raise UserError(f"--parameter {name}: {text!r} is no list of values.", hint=hint) from None
    return name.strip(), list(values)

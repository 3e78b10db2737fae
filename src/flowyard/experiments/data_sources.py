"""What ``source`` of a dataset means: a path, a pattern, a URL, or a registered dataset in one version."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from flowyard._util.suggest import did_you_mean
from flowyard.errors import NotFound, UserError
from flowyard.runs.dataset import DataSource, data_exists, data_source

__all__ = ["FoundData", "ResolveDataset", "find_data"]

ResolveDataset = Callable[[str], DataSource | None]
"""Finds the data of a registered dataset by ``NAME:VERSION``; None, or NotFound, when there is none of that name."""

_PREFIX = "registry:"
_LABEL = re.compile(r"[A-Za-z0-9][\w.-]*:[\w.-]+")


class FoundData(NamedTuple):
    """Where the data is, and the ``NAME:VERSION`` that it is registered under, if it was named so."""

    source: DataSource
    registered: str | None = None


def find_data(source: str, folder: Path, resolve: ResolveDataset | None) -> FoundData:
    """The data that ``source`` names in an experiment of that folder. A file that is there wins over a name.

    Raises UserError when there is none, and what ``resolve`` raises for data that was changed.
    """
    if source.startswith("azureml:"):
        raise UserError(f"{source!r} is an Azure ML data asset, which this version does not read.")
    is_label = _LABEL.fullmatch(source.removeprefix(_PREFIX)) is not None
    if source.startswith(_PREFIX):
        if not is_label:
            raise UserError(f"{source!r} names no version of a registered dataset.", hint="registry:NAME:VERSION")
        return _registered(source.removeprefix(_PREFIX), resolve)
    tried = [data_source(source, folder), data_source(source, folder / "data")]
    found = next((each for each in tried if source and data_exists(each)), None)
    if found is not None:
        return FoundData(found)
    names = [str(path.relative_to(folder)) for path in folder.glob("data/**/*") if path.is_file()]
    near = did_you_mean(source, names)
    if not is_label or resolve is None:
        raise UserError(f"There is no data file {source!r}.", hint=near)
    try:
        return _registered(source, resolve)
    except NotFound as error:
        raise UserError(f"There is no data file {source!r}. {error.message}", hint=near or error.hint) from None


def _registered(label: str, resolve: ResolveDataset | None) -> FoundData:
    found = resolve(label) if resolve else None
    if found is None:
        name, _, version = label.partition(":")
        raise NotFound(f"No dataset {name!r} is registered in version {version!r}.")
    return FoundData(found, label)

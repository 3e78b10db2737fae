"""Opening the sink that production records go to: a folder, or one that a package or a module brings."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from flowyard._util.suggest import known_names
from flowyard.abc import RecordSink
from flowyard.errors import UserError
from flowyard.production.records.folder import RecordFolder

__all__ = ["open_record_sink"]

_GROUP = "flowyard.record_sinks"
_VARIABLE = "FLOWYARD_SERVE_RECORDS_SINK"


def open_record_sink(folder: Path | None, name: str | None, environ: Mapping[str, str]) -> RecordSink | None:
    """The sink of that ``name``, else one that writes into ``folder``; None for neither.

    Raises UserError when it cannot be made.
    """
    if name is not None:
        return _made(name, environ)
    return RecordFolder(folder) if folder else None


def _made(name: str, environ: Mapping[str, str]) -> RecordSink:
    kind = _imported(name) if ":" in name else _entry_point(name)
    if not (isinstance(kind, type) and issubclass(kind, RecordSink)):
        raise UserError(f"{_VARIABLE}: {name} is no class made from flowyard.abc.RecordSink.")
    try:
        return kind(environ)  # type: ignore[call-arg]  # every sink is made with the environment
    except UserError:
        raise
    except Exception as error:  # code of others
        raise UserError(f"{_VARIABLE}: {name} cannot be opened ({type(error).__name__}): {error}") from error


def _imported(name: str) -> Any:
    module, _, attribute = name.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except Exception as error:  # importing a module runs its code
        hint = "It reads module:Class, and the module must be installed or on PYTHONPATH."
        raise UserError(f"{_VARIABLE}: {name} cannot be imported: {error}", hint=hint) from error


def _entry_point(name: str) -> Any:
    points = {point.name: point for point in entry_points(group=_GROUP)}
    if name not in points:
        hint = f"Known: {known_names(points)}." if points else f"No package has an entry point {_GROUP}."
        raise UserError(f"{_VARIABLE}: there is no sink called {name!r}.", hint=f"{hint} Or give module:Class.")
    try:
        return points[name].load()
    except Exception as error:  # as above
        raise UserError(f"{_VARIABLE}: {name} cannot be imported: {error}") from error

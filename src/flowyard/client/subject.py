"""What may be run or tested: a path, ``module:Name``, a loaded flow, a prompty, a function, a class or an instance."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from flowyard.client.flow import Flow
from flowyard.client.prompty import Prompty
from flowyard.errors import UserError
from flowyard.flows import load as flows
from flowyard.flows import model
from flowyard.flows.model import FlexFlow

__all__ = ["Subject", "flow_of"]

_ENTRY = re.compile(r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")

Subject = Any
"""A path (text or path-like), ``module:Name``, a Flow, a Prompty, or a callable object."""


def flow_of(subject: Subject, selected: Mapping[str, str], code: str | PathLike[str] | None = None) -> model.Flow:
    """The flow that is meant; ``code`` is where an entry's module lies instead of the working directory.

    Raises UserError, FlowInvalid.
    """
    if isinstance(subject, Prompty):
        return subject.flow
    if isinstance(subject, Flow):
        return flows.load_flow(subject.path, selected)
    if isinstance(subject, (str, PathLike)):
        path = Path(subject).expanduser().absolute()
        if not path.exists() and _ENTRY.match(str(subject)):
            return _entry_flow(str(subject), _folder(code))
        return flows.load_flow(path, selected)
    if callable(subject):
        return _object_flow(subject, _folder(code))
    raise UserError(
        f"A {type(subject).__name__} cannot be run as a flow.",
        hint="Give a flow's folder or file, 'module:Name', a function, or an object of a class with __call__.",
    )


def _folder(code: str | PathLike[str] | None) -> Path:
    folder = Path(code or ".").expanduser().absolute()
    if not folder.is_dir():
        raise UserError(f"code: there is no folder {folder}.")
    return folder


def _entry_flow(entry: str, folder: Path) -> FlexFlow:
    module, _, name = entry.partition(":")
    return FlexFlow(name=name, file=folder / f"{module.replace('.', '/')}.py", folder=folder, entry=entry)


def _object_flow(target: Any, folder: Path) -> FlexFlow:
    named = target if inspect.isroutine(target) or isinstance(target, type) else type(target)
    return FlexFlow(
        name=named.__name__,
        file=_source_file(named, folder),
        folder=folder,
        entry=f"{named.__module__}:{named.__qualname__}",
        target=target,
    )


def _source_file(target: Any, folder: Path) -> Path:
    """Where the object was written; a name in the folder for one made in a console or a notebook."""
    try:
        found = Path(inspect.getfile(target))
    except (TypeError, OSError):
        found = Path()
    return found if found.is_file() else folder / f"{target.__module__.rpartition('.')[2]}.py"

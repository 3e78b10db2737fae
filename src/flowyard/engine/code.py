"""The code of python nodes: the one tool that a file defines, and where in a flow's files an error came from."""

from __future__ import annotations

import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary

from flowyard.engine.tool import ToolProvider, is_tool
from flowyard.errors import UserError

__all__ = ["NodeClass", "find_class", "import_failure", "load_tool", "node_class", "place_of"]

NodeClass = tuple[str, str]
"""A class that a node's file defines: the file and the name. No module of that name can be imported."""

_MODULE = "__pf_main__"
_classes: WeakKeyDictionary[type, NodeClass] = WeakKeyDictionary()


def load_tool(path: Path) -> tuple[Callable[..., Any], type[ToolProvider] | None]:
    """The one ``@tool`` that a file defines, and its class when it is a ToolProvider's method.

    The file is executed as a module of its own each time. Raises UserError with file:line.
    """
    module = _execute(path)
    found: list[tuple[Callable[..., Any], type[ToolProvider] | None]] = []
    for value in vars(module).values():
        if is_tool(value) and inspect.unwrap(value).__globals__ is vars(module):
            found.append((value, None))
        elif isinstance(value, type) and issubclass(value, ToolProvider) and value.__module__ == module.__name__:
            found += [(member, value) for member in vars(value).values() if is_tool(member)]
    unique = list({id(function): (function, owner) for function, owner in found}.values())
    if len(unique) != 1:
        count = "no function" if not unique else f"{len(unique)} functions"
        raise UserError(
            f"{path.name} marks {count} with @tool; a python node's file has exactly one.",
            hint="Put '@tool' (from promptflow.core import tool) above the function that the node runs.",
            where=f"{path.name}:1",
        )
    return unique[0]


def _execute(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(_MODULE, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise import_failure(error, path.name, path.parent) from error
    for value in vars(module).values():
        if isinstance(value, type) and value.__module__ == _MODULE:
            _classes[value] = (str(path), value.__qualname__)
    return module


def node_class(value: object) -> NodeClass | None:
    """How another process that prepared the same flow finds a class; None for what is no class of a node's file."""
    return _classes.get(value) if isinstance(value, type) and value.__module__ == _MODULE else None


def find_class(wanted: NodeClass) -> type:
    """The inverse of ``node_class``. Raises LookupError when no such file was loaded."""
    for value, place in list(_classes.items()):
        if place == wanted:
            return value
    raise LookupError(f"{wanted[0]} defines no class {wanted[1]}")


def import_failure(error: BaseException, name: str, folder: Path) -> UserError:
    """What to tell the user about code in ``folder`` that failed while it was imported."""
    message = f"{name} cannot be imported: ({type(error).__name__}) {error}"
    hint: str | None = None
    if isinstance(error, ModuleNotFoundError):
        message = f"{name} cannot be imported: {error}"
        if not str(error.name).startswith("promptflow"):
            hint = f"Install what {error.name!r} belongs to into this environment: {sys.executable} -m pip install …"
    return UserError(message, hint=hint, where=place_of(error, folder))


def place_of(error: BaseException, folder: Path) -> str | None:
    """``file:line`` of the deepest frame that lies in the flow's folder; None when none does."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{Path(error.filename).name}:{error.lineno}"
    home = folder.resolve()
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if Path(frame.filename).resolve().is_relative_to(home):
            return f"{Path(frame.filename).resolve().relative_to(home)}:{frame.lineno}"
    return None

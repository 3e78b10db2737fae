"""Importing user code: a flow's own folder first, and the name ``promptflow`` answered by us.

``flowyard.compat.promptflow`` is reached by file only, so that the engine does not depend on it.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from flowyard.engine.tool import ToolProvider, is_tool
from flowyard.errors import UserError

__all__ = ["code_of", "import_failure", "install_promptflow_names", "load_tool", "place_of", "uncovered_names"]

_COMPAT = Path(__file__).parent.parent / "compat" / "promptflow"
_lock = threading.RLock()


class _PromptflowNames(MetaPathFinder):
    """Answers ``import promptflow…`` from our own files, also where the real package is installed."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:  # noqa: ARG002
        root, *rest = fullname.split(".")
        if root != "promptflow":
            return None
        place = _COMPAT.joinpath(*rest)
        if (place / "__init__.py").is_file():
            return importlib.util.spec_from_file_location(
                fullname, place / "__init__.py", submodule_search_locations=[str(place)]
            )
        if place.with_suffix(".py").is_file() and rest:
            return importlib.util.spec_from_file_location(fullname, place.with_suffix(".py"))
        return ModuleSpec(fullname, _Uncovered())


class _Uncovered(Loader):
    """Says that a module of promptflow is not covered."""

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        raise ModuleNotFoundError(
            f"flowyard runs this flow without promptflow, and does not cover the module {spec.name!r}.", name=spec.name
        )

    def exec_module(self, module: ModuleType) -> None:
        """Never reached."""


def uncovered_names(module: str) -> Callable[[str], Any]:
    """A module's ``__getattr__`` that says which name of promptflow is not covered."""

    def missing(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise ImportError(
            f"flowyard runs this flow without promptflow, and does not cover {module}.{name}.", name=module
        )

    return missing


def install_promptflow_names() -> None:
    """Make ``import promptflow`` answer with flowyard's names in this process; safe to call again."""
    with _lock:
        if any(isinstance(finder, _PromptflowNames) for finder in sys.meta_path):
            return
        for name in [name for name in sys.modules if name == "promptflow" or name.startswith("promptflow.")]:
            del sys.modules[name]
        sys.meta_path.insert(0, _PromptflowNames())


@contextmanager
def code_of(folder: Path) -> Iterator[None]:
    """Import what a flow's code imports from ``folder``; another flow's modules of the same names are set aside."""
    with _lock:
        install_promptflow_names()
        sys.dont_write_bytecode = True  # a flow's folder is the user's: nothing is left in it
        home = str(folder.resolve())
        _set_aside_modules_outside(home)
        _flow_folders.add(home)
        sys.path[:] = [home, *(entry for entry in sys.path if entry not in _flow_folders)]
        yield


_flow_folders: set[str] = set()


def _set_aside_modules_outside(home: str) -> None:
    """Modules that came from other flows' folders are forgotten by name; their functions keep working."""
    others = [folder for folder in _flow_folders if folder != home]
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if file and any(Path(file).is_relative_to(folder) for folder in others):
            del sys.modules[name]


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
    spec = importlib.util.spec_from_file_location("__pf_main__", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise import_failure(error, path.name, path.parent) from error
    return module


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

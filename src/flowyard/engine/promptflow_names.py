"""The name ``promptflow``, answered by us: what flows import from it comes from ``flowyard.compat.promptflow``.

That folder is reached by file only, so that the engine does not depend on it.
"""

from __future__ import annotations

import importlib.util
import sys
import threading
from collections.abc import Callable
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

__all__ = ["install_promptflow_names", "uncovered_names"]

_COMPAT = Path(__file__).parent.parent / "compat" / "promptflow"
_lock = threading.Lock()


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

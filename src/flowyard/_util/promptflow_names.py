"""The name ``promptflow`` answered by flowyard, also where the real package is installed.

An import finder maps ``promptflow.x`` to our file of that name, which is reached by path only, so that nothing here
depends on it. Nothing heavy is imported, because every Python process that answers to the name starts with this module.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
from collections.abc import Callable, Mapping
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

__all__ = ["ADVICE", "covered_modules", "install_promptflow_names", "uncovered_message", "uncovered_names"]

_FILES = Path(__file__).parent.parent / "compat" / "promptflow"
_PRIVATE = "It is internal to promptflow. Names that flowyard covers are in docs/python.md."
_lock = threading.RLock()

ADVICE: Mapping[str, str] = {
    "promptflow.azure": (
        "Runs in Azure ML are not made from here. PFClient from promptflow.client has the same verbs and runs on any "
        "machine; in the cloud, run 'flowyard' itself as the job's command."
    ),
    "promptflow.batch": "Use PFClient().run(flow, data=…) from promptflow.client.",
    "promptflow.core._connection_provider": "Use PFClient().connections.get(NAME) from promptflow.client.",
    "promptflow.core._serving": "Serve a flow with the command: flowyard flow serve --source FLOW",
    "promptflow.evals": "evaluate and the evaluators are in promptflow.evals.evaluate and promptflow.evals.evaluators.",
    "promptflow.evals.synthetic": "Its simulators run in Azure AI only; make the conversations with a flow.",
    "promptflow.executor": "Use load_flow(FLOW) from promptflow.client and call it, or PFClient().test(FLOW).",
    "promptflow.integrations": "Use parallel lines instead: flowyard run create --concurrency N",
    "promptflow.parallel": "Use parallel lines instead: flowyard run create --concurrency N",
    "promptflow.rag": "It is a package of its own, which flowyard does not replace; call its index from your tool.",
    "promptflow.storage": "Read a run with PFClient().get_details(run), or its lines.jsonl.",
    "promptflow.tools": "Call the service from your tool; connections of promptflow.connections have address and key.",
    "promptflow.tracing": "What each node did is in a run's lines.jsonl: flowyard run show-details -n NAME",
    "promptflow.client": "PFClient, load_flow and load_run are there.",
    "promptflow._": _PRIVATE,
    "promptflow.core._": _PRIVATE,
    "promptflow": "Names that flowyard covers are in docs/python.md.",
}
"""What to use instead of a name, by the start of that name; the longest start counts."""


def uncovered_message(symbol: str) -> str:
    """What is said about a name of promptflow that is not covered, and what to use instead."""
    starts = [start for start in ADVICE if f"{symbol}.".startswith(start if start.endswith("_") else f"{start}.")]
    advice = ADVICE[max(starts, key=len)]
    return f"flowyard answers to 'promptflow' without that package, and does not cover {symbol}. {advice}"


def uncovered_names(module: str) -> Callable[[str], Any]:
    """A module's ``__getattr__``: imports its submodules; any other name raises an ImportError that says what it is."""

    def missing(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if _spec(f"{module}.{name}") is not None:
            return importlib.import_module(f"{module}.{name}")
        raise ImportError(uncovered_message(f"{module}.{name}"), name=module)

    return missing


def install_promptflow_names() -> None:
    """Make ``import promptflow`` answer with flowyard's names in this process; safe to call again."""
    with _lock:
        if any(isinstance(finder, _PromptflowNames) for finder in sys.meta_path):
            return
        for name in [name for name in sys.modules if name == "promptflow" or name.startswith("promptflow.")]:
            del sys.modules[name]
        sys.meta_path.insert(0, _PromptflowNames())


def covered_modules() -> list[str]:
    """The modules of promptflow that have names here, sorted."""
    found = []
    for file in _FILES.rglob("*.py"):
        parts = file.relative_to(_FILES).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        found.append(".".join(("promptflow", *parts)))
    return sorted(found)


class _PromptflowNames(MetaPathFinder):
    """Answers ``import promptflow…`` from our own files."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:  # noqa: ARG002
        if fullname.partition(".")[0] != "promptflow":
            return None
        return _spec(fullname) or ModuleSpec(fullname, _Uncovered())


class _Uncovered(Loader):
    """Says that a module of promptflow is not covered."""

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        raise ModuleNotFoundError(uncovered_message(spec.name), name=spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Never reached."""


def _spec(fullname: str) -> ModuleSpec | None:
    place = _FILES.joinpath(*fullname.split(".")[1:])
    package = place / "__init__.py"
    if package.is_file():
        return importlib.util.spec_from_file_location(fullname, package, submodule_search_locations=[str(place)])
    file = place.with_suffix(".py")
    return importlib.util.spec_from_file_location(fullname, file) if file.is_file() else None

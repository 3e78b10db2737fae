"""flowyard: GenAIOps for prompt flows, from a flow folder and a dataset to a decision, on any machine."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowyard.api import Evaluation, Experiment, ExperimentResult, Flow, Run, evaluate, load_flow, load_run, run

__version__ = "0.1.0"

__all__ = [
    "Evaluation",
    "Experiment",
    "ExperimentResult",
    "Flow",
    "Run",
    "evaluate",
    "load_flow",
    "load_run",
    "run",
]


def __getattr__(name: str) -> Any:
    """The names of ``flowyard.api``, imported when the first of them is used: commands need none."""
    if name not in __all__:
        raise AttributeError(f"module 'flowyard' has no attribute {name!r}")
    return getattr(import_module("flowyard.api"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

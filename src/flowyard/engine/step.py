"""A node made ready to run: what every kind of node becomes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flowyard.flows.model import Node
from flowyard.records import Usage

__all__ = ["Step", "StepValue"]


@dataclass(frozen=True, slots=True)
class StepValue:
    """What a model-calling step returns: the node's output and what it used."""

    output: Any
    usage: Usage


@dataclass(frozen=True, slots=True)
class Step:
    """One node, resolved.

    ``call`` takes the node's inputs by name; ``is_async`` says whether it is awaited or run in a thread.
    ``literals`` are inputs known beforehand, already of their declared types. ``optional`` names parameters that may be
    left out when what feeds them was bypassed. ``warnings`` are about what prompt flow accepts and people rarely mean.
    """

    node: Node
    call: Callable[[dict[str, Any]], Any]
    is_async: bool
    literals: Mapping[str, Any]
    optional: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()

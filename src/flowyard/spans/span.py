"""One step of a trace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["Failure", "Kind", "Span"]

Kind = Literal["internal", "server", "client"]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a span failed: the exception's class name, its message, and where it was raised."""

    type: str
    message: str = ""
    stack: str = ""


@dataclass(frozen=True, slots=True)
class Span:
    """``trace`` has 32 and ``span`` and ``parent`` 16 hexadecimal digits; times are nanoseconds since 1970.

    ``attributes`` may hold texts, numbers, truth values, and lists and mappings of them.
    """

    trace: str
    span: str
    parent: str | None
    name: str
    kind: Kind
    start_ns: int
    end_ns: int
    attributes: Mapping[str, Any] = field(default_factory=dict)
    failure: Failure | None = None

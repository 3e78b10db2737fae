"""What user code marks itself with: ``@tool``, ``ToolProvider``, ``log_metric``, ``trace`` and parameter types."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar, overload

__all__ = [
    "FilePath",
    "PromptTemplate",
    "Secret",
    "ToolProvider",
    "collect_metrics",
    "is_tool",
    "log_metric",
    "start_trace",
    "streaming_option",
    "tool",
    "trace",
]

F = TypeVar("F", bound=Callable[..., Any])
_MARK = "__flowyard_tool__"
_metrics: ContextVar[dict[str, Any] | None] = ContextVar("flowyard_metrics", default=None)


@overload
def tool(func: F) -> F: ...
@overload
def tool(func: None = None, **options: Any) -> Callable[[F], F]: ...
def tool(func: F | None = None, **options: Any) -> F | Callable[[F], F]:
    """Mark a function or method as the tool of a python node; with or without arguments.

    The function is returned unchanged, so calling it directly is an ordinary call.
    """

    def mark(target: F) -> F:
        setattr(target, _MARK, options)
        if not hasattr(target, "__original_function"):
            setattr(target, "__original_function", target)
        return target

    return mark if func is None else mark(func)


def is_tool(value: Any) -> bool:
    """Whether ``@tool`` marked this function."""
    return callable(value) and hasattr(value, _MARK)


def streaming_option(function: Any) -> str | None:
    """The parameter by which the tool is asked for its output in pieces, if its ``@tool`` names one."""
    options: Mapping[str, Any] = getattr(function, _MARK, {})
    found = options.get("streaming_option_parameter")
    return str(found) if found else None


class ToolProvider:
    """Base of classes whose ``@tool`` method is a node's tool; one instance serves all lines."""


def log_metric(key: str, value: Any, variant_id: str | None = None) -> None:  # noqa: ARG001 - part of the known call
    """Record a metric of the run: it counts in an aggregation node and is ignored elsewhere; the last value wins."""
    sink = _metrics.get()
    if sink is not None:
        sink[key] = value


def trace(func: F) -> F:
    """Accepted around any function; the function is returned unchanged."""
    return func


def start_trace(**_: Any) -> None:
    """Accepted; runs always keep what their nodes did."""


class Secret(str):
    """A parameter whose value is not shown."""


class PromptTemplate(str):
    """A parameter that takes a prompt's text."""


class FilePath(str):
    """A parameter that takes the path of a file."""


@contextmanager
def collect_metrics() -> Iterator[dict[str, Any]]:
    """What ``log_metric`` is called with inside the block, in this context and those copied from it."""
    sink: dict[str, Any] = {}
    token = _metrics.set(sink)
    try:
        yield sink
    finally:
        _metrics.reset(token)

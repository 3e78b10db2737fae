"""The ``environment_variables`` of a flow, as its code sees them while it is prepared and run.

A process has one environment, so flows that give one variable different values would disturb each other. Each flow's
code reads its own value through ``os.environ``; the process itself (child processes, C libraries) has the value of the
flow that was opened first. Afterwards every variable is what it was.
"""

from __future__ import annotations

import functools
import os
import re
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import Token
from typing import Any

from flowyard._util.files import dump_json
from flowyard._util.inheritance import inherited
from flowyard.errors import UserError
from flowyard.flows.model import Flow
from flowyard.llm.connections import Connections

__all__ = ["FlowEnvironment", "resolve_variables"]

_CONNECTION_KEY = re.compile(r"^\$\{([^.{}]+)\.([^.{}]+)\}$")


def resolve_variables(flow: Flow, connections: Connections) -> dict[str, str]:
    """The flow's variables as text; ``${connection.key}`` becomes that field. Raises UserError, ConnectionMissing."""
    return {str(name): _text(name, value, flow, connections) for name, value in flow.environment_variables.items()}


def _text(name: str, value: Any, flow: Flow, connections: Connections) -> str:
    match = _CONNECTION_KEY.match(value) if isinstance(value, str) else None
    if match is None:
        return dump_json(value) if isinstance(value, Mapping | list) else str(value)
    needed_by = f"The environment variable {name!r} of {flow.file.name}"
    found = connections.get(match[1], needed_by=needed_by)
    if match[2] not in found:
        raise UserError(f"{needed_by} reads {value}, but connection {match[1]!r} has no field {match[2]!r}.")
    return str(found[match[2]])


_current = inherited("flowyard_environment")


class FlowEnvironment:
    """Variables of one flow, from now until ``restore``. Code sees them inside ``visible``.

    A flow that another flow's code calls sees that flow's variables below its own.
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._caller: FlowEnvironment | None = _current.get()
        self.values: dict[str, str | None] = {_key(name): value for name, value in variables.items()}
        _process.add(self)

    def restore(self) -> None:
        """Give the variables back; safe to call again."""
        _process.remove(self)

    @contextmanager
    def visible(self) -> Iterator[None]:
        """Code inside the block, in this context and those copied from it, sees this flow's values."""
        token = self.show()
        try:
            yield
        finally:
            self.hide(token)

    def show(self) -> Token[Any]:
        """Begin to be ``visible``, for those who do so very often; ends with ``hide``."""
        return _current.set(self)

    def hide(self, token: Token[Any]) -> None:
        """End what ``show`` began."""
        _current.reset(token)

    def seen(self) -> dict[str, str | None]:
        """All that this flow's code sees otherwise than the process outside of flows."""
        return {**(self._caller.seen() if self._caller else {}), **self.values}

    def holder(self, name: str) -> FlowEnvironment | None:
        """The flow, this one or one that calls it, whose variable that is."""
        if name in self.values:
            return self
        return self._caller.holder(name) if self._caller else None


class _Process:
    """The environment of the process and the flows that want something in it."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._flows: list[FlowEnvironment] = []
        self.outside: dict[str, str | None] = {}  # what a variable is for all but the flows that set it

    def add(self, flow: FlowEnvironment) -> None:
        if not flow.values:
            return
        with self._lock:
            if not self._flows:
                _look_through()
            self._flows.append(flow)
            for name in flow.values:
                self.outside.setdefault(name, _plain_get(name))
                self._settle(name)

    def remove(self, flow: FlowEnvironment) -> None:
        with self._lock:
            if flow in self._flows:
                self._flows.remove(flow)
                for name in flow.values:
                    self._settle(name)
            if not self._flows:
                _look_plainly()

    def write(self, name: str, value: str | None) -> None:
        """A variable is set, or deleted with None, by code of the current flow or of nobody."""
        with self._lock:
            flow: FlowEnvironment | None = _current.get()
            holder = flow.holder(name) if flow is not None else None
            if holder is not None:
                holder.values[name] = value
                self._settle(name)
                return
            if name in self.outside:
                self.outside[name] = value
            _plain_set(name, value)

    def forget_threads(self) -> None:
        """In a forked child nobody else holds the lock."""
        self._lock = threading.RLock()

    def _settle(self, name: str) -> None:
        wanting = [flow for flow in self._flows if name in flow.values]
        _plain_set(name, wanting[0].values[name] if wanting else self.outside.pop(name, None))


class _FlowEnviron(os._Environ):  # type: ignore[type-arg]
    """``os.environ`` while flows have variables: the same object, answering each flow's code with its own values."""

    def __getitem__(self, key: str) -> str:
        own = _own_values()
        if key in own:
            value = own[key]
            if value is None:
                raise KeyError(key)
            return value
        return super().__getitem__(key)  # type: ignore[no-any-return]

    def __setitem__(self, key: str, value: str) -> None:
        self.encodekey(key), self.encodevalue(value)  # the same TypeErrors as ever
        _process.write(_key(key), value)

    def __delitem__(self, key: str) -> None:
        self[key]  # raises KeyError
        _process.write(_key(key), None)

    def __iter__(self) -> Iterator[str]:
        own = _own_values()
        names = list(super().__iter__())
        yield from (name for name in names if own.get(name, "") is not None)
        yield from (name for name, value in own.items() if value is not None and name not in names)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"environ({dict(self)!r})"


def _own_values() -> dict[str, str | None]:
    """What the running flow's code sees otherwise than the process: its own values, and not those of other flows."""
    flow = _current.get()
    return {} if flow is None else {**_process.outside, **flow.seen()}


def _key(name: str) -> str:
    return name.upper() if os.name == "nt" else name


_plain_class = type(os.environ)
_plain_popen = subprocess.Popen.__init__
_ENV_POSITION = 10


def _plain_get(name: str) -> str | None:
    try:
        return str(_plain_class.__getitem__(os.environ, name))
    except KeyError:
        return None


def _plain_set(name: str, value: str | None) -> None:
    if value is not None:
        _plain_class.__setitem__(os.environ, name, value)
    elif _plain_get(name) is not None:
        _plain_class.__delitem__(os.environ, name)


@functools.wraps(_plain_popen)
def _popen(self: Any, *args: Any, **kwargs: Any) -> None:
    """Without an environment of its own, a child process has that of the flow whose code starts it."""
    differs = any(_plain_get(name) != value for name, value in _own_values().items())
    if differs and kwargs.get("env") is None and len(args) <= _ENV_POSITION:
        kwargs["env"] = os.environ.copy()
    _plain_popen(self, *args, **kwargs)


def _look_through() -> None:
    os.environ.__class__ = _FlowEnviron
    subprocess.Popen.__init__ = _popen  # type: ignore[method-assign]


def _look_plainly() -> None:
    if type(os.environ) is _FlowEnviron:
        os.environ.__class__ = _plain_class  # type: ignore[assignment]
    if subprocess.Popen.__init__ is _popen:
        subprocess.Popen.__init__ = _plain_popen  # type: ignore[method-assign]


_process = _Process()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_process.forget_threads)

"""Where in a run a model call is made: its line, its node, and which of several equal calls of the line it is."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from flowyard._util.inheritance import inherited

__all__ = ["CallPlace", "LineCalls", "at_node", "current_place", "one_line"]


class LineCalls:
    """Numbers the equal model calls of one line from 0, so that sampling a model twice stays two samples.

    Safe to use from several threads.
    """

    def __init__(self, line_number: int | None = None) -> None:
        self.line_number = line_number
        self._taken: dict[str, set[int]] = {}
        self._lock = threading.Lock()

    @contextmanager
    def numbered(self, call: str) -> Iterator[int]:
        """The number of this call among those with the same text; one that fails gives its number back."""
        with self._lock:
            taken = self._taken.setdefault(call, set())
            number = next(each for each in range(len(taken) + 1) if each not in taken)
            taken.add(number)
        try:
            yield number
        except BaseException:
            with self._lock:
                taken.discard(number)
            raise


@dataclass(frozen=True, slots=True)
class CallPlace:
    """``nodes`` are the names of the nodes around the call, the outermost first; a sub-flow adds its own.

    ``line`` is None where no line runs. ``keeps`` is False when a node around says that its calls are not to be kept.
    """

    line: LineCalls | None = None
    nodes: tuple[str, ...] = ()
    keeps: bool = True

    @property
    def label(self) -> str | None:
        """The nodes as one name; None outside of nodes."""
        return "/".join(self.nodes) or None


_NOWHERE = CallPlace()
_place: ContextVar[CallPlace] = inherited("flowyard_call_place", default=_NOWHERE)


def current_place() -> CallPlace:
    """Where the running code is, also in threads that a flow's code started."""
    return _place.get()


class _At:
    """Makes a place the current one inside a ``with`` block; a class, because each node of each line has one."""

    __slots__ = ("_place", "_token")

    def __init__(self, place: CallPlace) -> None:
        self._place = place

    def __enter__(self) -> None:
        self._token = _place.set(self._place)

    def __exit__(self, *_: object) -> None:
        _place.reset(self._token)


def one_line(line_number: int | None) -> AbstractContextManager[None]:
    """Everything inside the block belongs to one line; inside of another line it goes on to be that one's."""
    place = _place.get()
    return _At(place if place.line is not None else CallPlace(LineCalls(line_number), place.nodes, place.keeps))


def at_node(name: str, *, keeps: bool = True) -> AbstractContextManager[None]:
    """Everything inside the block is done by this node; ``keeps`` says whether its model calls may be kept."""
    place = _place.get()
    return _At(CallPlace(place.line, (*place.nodes, name), place.keeps and keeps))

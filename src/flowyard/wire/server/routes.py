"""Which handler answers which request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flowyard.wire.message import Handler, Request
from flowyard.wire.refusal import Refusal

__all__ = ["Route", "Routes"]


@dataclass(frozen=True, slots=True)
class Route:
    """``is_open`` routes need no key; none is open unless it says so."""

    method: str
    path: str
    handler: Handler
    is_open: bool = False


class Routes:
    """A table of whole paths; HEAD is answered as GET."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._by_path: dict[str, dict[str, Route]] = {}
        for route in routes:
            self._by_path.setdefault(route.path, {})[route.method] = route

    def __iter__(self) -> Iterator[Route]:
        return (route for methods in self._by_path.values() for route in methods.values())

    def find(self, request: Request) -> Route:
        """The route of a request. Raises Refusal, 404 or 405."""
        methods = self._by_path.get(request.path)
        if methods is None:
            raise Refusal(404, f"Not Found: {request.method} {request.path}")
        route = methods.get("GET" if request.method == "HEAD" else request.method)
        if route is None:
            raise Refusal(405, f"Method Not Allowed: {request.method} {request.path}")
        return route

"""Which requests ask the flow, and so belong to the experiment."""

from __future__ import annotations

from flowyard.wire import Request

__all__ = ["asks_the_flow", "other_paths"]

_FEEDBACK = "/feedback"
_LOOKING = frozenset({"GET", "HEAD", "OPTIONS"})
_ABOUT_THE_FLOW = frozenset(
    {
        *("/health", "/health/ready", "/version", "/metrics", "/swagger.json", "/v1/models"),
        *("/", "/page.js", "/page.css", "/page.json"),
    }
)
"""What flows that are served tell of themselves, and their page."""


def asks_the_flow(request: Request, health_path: str = "/health") -> bool:
    """False for feedback, and for looks at a deployment's health, version or page: no answer of the flow is in them.

    ``health_path`` is the one that ``gateway.yaml`` names. Were they counted, a version would have fewer errors and
    quicker answers the more its users say of it.
    """
    path = request.path
    if path == _FEEDBACK:
        return False
    return not (request.method in _LOOKING and (path in _ABOUT_THE_FLOW or path == health_path))


def other_paths(health_path: str) -> frozenset[bytes]:
    """The paths at which ``asks_the_flow`` may say no."""
    return frozenset(path.encode() for path in (_FEEDBACK, health_path, *_ABOUT_THE_FLOW))

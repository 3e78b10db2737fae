"""A small HTTP/1.1 server and client: strict framing, limits, kept connections, streams, draining; no flows."""

from flowyard.wire.answer_head import BadAnswer
from flowyard.wire.client import Place, WireClient, end_to_end
from flowyard.wire.limits import WireLimits
from flowyard.wire.message import Handler, Request, Response
from flowyard.wire.refusal import Refusal
from flowyard.wire.routes import Route, Routes
from flowyard.wire.server import WireServer
from flowyard.wire.upstream import BrokenOff, Unanswered

__all__ = [
    "BadAnswer",
    "BrokenOff",
    "Handler",
    "Place",
    "Refusal",
    "Request",
    "Response",
    "Route",
    "Routes",
    "Unanswered",
    "WireClient",
    "WireLimits",
    "WireServer",
    "end_to_end",
]

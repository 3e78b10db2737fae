"""A small HTTP/1.1 server: strict framing, limits, keep-alive, streams and draining. It knows nothing of flows."""

from flowyard.wire.limits import WireLimits
from flowyard.wire.message import Handler, Request, Response
from flowyard.wire.refusal import Refusal
from flowyard.wire.routes import Route, Routes
from flowyard.wire.server import WireServer

__all__ = ["Handler", "Refusal", "Request", "Response", "Route", "Routes", "WireLimits", "WireServer"]

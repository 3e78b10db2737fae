"""A small HTTP/1.1 server and client: strict framing, limits, kept connections, streams, draining; no flows."""

from flowyard.wire.client.client import OF_ONE_CONNECTION, Place, WireClient, end_to_end, is_repeatable, response_of
from flowyard.wire.client.failures import BrokenOff, Unanswered
from flowyard.wire.client.upstream import Upstream
from flowyard.wire.limits import WireLimits
from flowyard.wire.message import Handler, Request, Response
from flowyard.wire.outbox import Outbox
from flowyard.wire.reading.answer_head import BadAnswer
from flowyard.wire.reading.head import HEAD_END
from flowyard.wire.reading.plain import HIDDEN, LENGTH, PASSED, UNPLAIN, AnswerLines, FirstLines, PlainLines
from flowyard.wire.refusal import Refusal
from flowyard.wire.server.answering import Answering
from flowyard.wire.server.connection import Connection
from flowyard.wire.server.refused import refused
from flowyard.wire.server.routes import Route, Routes
from flowyard.wire.server.server import WireServer

__all__ = [
    "HEAD_END",
    "HIDDEN",
    "LENGTH",
    "OF_ONE_CONNECTION",
    "PASSED",
    "UNPLAIN",
    "AnswerLines",
    "Answering",
    "BadAnswer",
    "BrokenOff",
    "Connection",
    "FirstLines",
    "Handler",
    "Outbox",
    "Place",
    "PlainLines",
    "Refusal",
    "Request",
    "Response",
    "Route",
    "Routes",
    "Unanswered",
    "Upstream",
    "WireClient",
    "WireLimits",
    "WireServer",
    "end_to_end",
    "is_repeatable",
    "refused",
    "response_of",
]

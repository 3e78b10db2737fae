"""Where spans are sent, in which form, and what an answer means."""

from __future__ import annotations

import gzip
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from flowyard._util.files import dump_json
from flowyard.spans.otlp_json import export_request, span_json
from flowyard.spans.otlp_protobuf import to_protobuf
from flowyard.spans.span import Span

__all__ = ["Destination", "Otlp", "Outcome"]


class Outcome(NamedTuple):
    """What became of spans that were sent: how many were refused for good, and those that may be sent again."""

    refused: int = 0
    again: Sequence[Span] = ()


class Destination(ABC):
    """One endpoint. ``url`` may change when the endpoint says that it moved."""

    def __init__(self, url: str, headers: Mapping[str, str], timeout_s: float, ca_file: str | None = None) -> None:
        self.url = url
        self.headers = dict(headers)
        self.timeout_s = timeout_s
        self.ca_file = ca_file

    @property
    def label(self) -> str:
        """How messages name it: the address without its path, which may hold a secret."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}"

    @abstractmethod
    def body(self, spans: Sequence[Span]) -> tuple[bytes, Mapping[str, str]]:
        """What is sent, and the headers that say what it is."""

    @abstractmethod
    def outcome(self, status: int, answer: bytes, spans: Sequence[Span]) -> Outcome:
        """What an HTTP answer means for the spans that were sent."""


class Otlp(Destination):
    """OpenTelemetry's protocol over HTTP, as protobuf or JSON."""

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        timeout_s: float,
        resource: Mapping[str, Any],
        *,
        ca_file: str | None = None,
        as_json: bool = False,
        gzips: bool = False,
    ) -> None:
        super().__init__(url, headers, timeout_s, ca_file)
        self._resource = dict(resource)
        self._as_json = as_json
        self._gzips = gzips

    def body(self, spans: Sequence[Span]) -> tuple[bytes, Mapping[str, str]]:
        form = export_request(map(span_json, spans), self._resource)
        data = dump_json(form).encode() if self._as_json else to_protobuf(form)
        headers = {"Content-Type": "application/json" if self._as_json else "application/x-protobuf"}
        if self._gzips:
            return gzip.compress(data, 5), {**headers, "Content-Encoding": "gzip"}
        return data, headers

    def outcome(self, status: int, answer: bytes, spans: Sequence[Span]) -> Outcome:
        if status in (429, 502, 503, 504):
            return Outcome(again=spans)
        if 200 <= status < 300:
            return Outcome(_rejected(answer) if self._as_json else 0)
        return Outcome(len(spans))


def _rejected(answer: bytes) -> int:
    """How many of the spans a collector did not take."""
    try:
        return max(0, int(json.loads(answer)["partialSuccess"]["rejectedSpans"]))
    except (ValueError, KeyError, TypeError):
        return 0

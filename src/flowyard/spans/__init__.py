"""Spans: what was done when, as OpenTelemetry and Application Insights take it, and sending them in the background."""

from flowyard.spans.exporter import Exporter
from flowyard.spans.sampler import Sampler
from flowyard.spans.settings import SpanSettings
from flowyard.spans.span import Failure, Span

__all__ = ["Exporter", "Failure", "Sampler", "Span", "SpanSettings"]

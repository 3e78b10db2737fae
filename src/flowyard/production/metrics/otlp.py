"""Readings to an endpoint of OpenTelemetry's protocol over HTTP, by the variables that SDKs know."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from flowyard import __version__
from flowyard._util.files import dump_json
from flowyard.errors import UserError
from flowyard.production.metrics.readings import Metric, Readings
from flowyard.spans.otlp_metrics import Gauge, metrics_request
from flowyard.spans.otlp_protobuf import metrics_to_protobuf
from flowyard.spans.settings import read_certificate, read_pairs

__all__ = ["OtlpMetrics", "open_otlp"]

_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class OtlpMetrics:
    """One endpoint. Its headers may hold keys: redirects are not followed, and messages have its host only."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    resource: Mapping[str, str]
    as_json: bool = False
    ca_file: str | None = None

    def send(self, readings: Readings) -> str | None:
        """Send; what failed in words, or None. The next look sends newer numbers, so that nothing is tried again."""
        from urllib.error import HTTPError  # noqa: PLC0415 - heavy, and few send metrics
        from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener  # noqa: PLC0415 - as above

        class Stay(HTTPRedirectHandler):
            """Leaves redirects alone."""

            def redirect_request(self, *_: object) -> None:
                """Nowhere."""

        form = metrics_request(map(_gauge, readings.metrics), _nanoseconds(readings), self.resource)
        data = dump_json(form).encode() if self.as_json else metrics_to_protobuf(form)
        kind = "application/json" if self.as_json else "application/x-protobuf"
        request = Request(self.url, data, {**self.headers, "Content-Type": kind}, method="POST")  # noqa: S310 - checked
        try:
            opener = build_opener(Stay, HTTPSHandler(context=ssl.create_default_context(cafile=self.ca_file)))
            with opener.open(request, timeout=_TIMEOUT_S):
                return None
        except HTTPError as error:
            with error:
                return f"Metrics were not taken: {self._label} answered {error.code}."
        except Exception:  # whatever goes wrong between here and the endpoint
            return f"Metrics were not taken: {self._label} does not answer."

    @property
    def _label(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}"


def open_otlp(url: str, environ: Mapping[str, str]) -> OtlpMetrics:
    """An endpoint by its address; variables ``OTEL_EXPORTER_OTLP_METRICS_…``, else those of everything, say how.

    Raises UserError.
    """

    def option(name: str) -> str:
        own = environ.get(f"OTEL_EXPORTER_OTLP_METRICS_{name}") or environ.get(f"OTEL_EXPORTER_OTLP_{name}", "")
        return own.strip()

    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_usable = False
    if not is_usable or parts.username is not None:
        hint = "As in --otlp http://localhost:4318/v1/metrics; keys go into OTEL_EXPORTER_OTLP_HEADERS."
        raise UserError("--otlp must be an http:// or https:// address without a name or key.", hint=hint)
    protocol = option("PROTOCOL") or "http/protobuf"
    if protocol not in ("http/protobuf", "http/json"):
        hint = "Set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf; collectors take it on port 4318, gRPC on 4317."
        raise UserError(f"Metrics cannot be sent by {protocol}.", hint=hint)
    headers = read_pairs(option("HEADERS"), "OTEL_EXPORTER_OTLP_HEADERS", shows=False)
    given = read_pairs(environ.get("OTEL_RESOURCE_ATTRIBUTES", ""), "OTEL_RESOURCE_ATTRIBUTES")
    name = environ.get("OTEL_SERVICE_NAME", "").strip() or given.get("service.name") or "flowyard-monitor"
    resource = {**given, "service.name": name, "telemetry.sdk.name": "flowyard", "telemetry.sdk.version": __version__}
    return OtlpMetrics(
        url, headers, resource, as_json=protocol == "http/json", ca_file=read_certificate(option("CERTIFICATE"))
    )


def _gauge(metric: Metric) -> Gauge:
    name = metric.name.removesuffix("_seconds")
    points = [(point.value, point.labels) for point in metric.points]
    return Gauge(f"flowyard.monitor.{name}", metric.text, metric.unit, points)


def _nanoseconds(readings: Readings) -> int:
    return int(readings.at.timestamp() * 1000) * 1_000_000

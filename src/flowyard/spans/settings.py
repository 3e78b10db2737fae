"""Where spans go, by OpenTelemetry's variables and those of Application Insights."""

from __future__ import annotations

import math
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from flowyard.errors import UserError
from flowyard.spans.app_insights import ApplicationInsights
from flowyard.spans.destination import Destination, Otlp
from flowyard.spans.sampler import Sampler

__all__ = ["SpanSettings", "read_certificate", "read_pairs"]

_ON = frozenset({"true", "1", "yes"})
_CAPTURES = _ON | {"span_only", "span_and_event"}
_CONTENT = ("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "AZURE_TRACING_GEN_AI_CONTENT_RECORDING_ENABLED")
_OFF_SWITCHES = ("OTEL_SDK_DISABLED", "PF_BUILTIN_TRACE_EXPORTERS_DISABLE")
_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class SpanSettings:
    """``destinations`` are none unless the environment names one. ``has_content``: what was asked and answered, too."""

    destinations: tuple[Destination, ...] = ()
    sampler: Sampler = field(default_factory=Sampler)
    has_content: bool = False

    @classmethod
    def read(cls, environ: Mapping[str, str], *, service: str, about: Mapping[str, str]) -> SpanSettings:
        """``service`` is its name when no variable says it, ``about`` what else is known of it.

        Raises UserError when a variable cannot be what it is.
        """
        if any(environ.get(name, "").strip().lower() in _ON for name in _OFF_SWITCHES):
            return cls()
        resource = _resource(environ, service, about)
        found = [_otlp(environ, resource), _application_insights(environ, resource)]
        destinations = tuple(each for each in found if each is not None)
        if not destinations:
            return cls()
        name, argument = (environ.get(f"OTEL_TRACES_SAMPLER{end}", "").strip() for end in ("", "_ARG"))
        has_content = any(environ.get(name, "").strip().lower() in _CAPTURES for name in _CONTENT)
        return cls(destinations, Sampler.read(name, argument), has_content)


def _application_insights(environ: Mapping[str, str], resource: Mapping[str, Any]) -> Destination | None:
    text = environ.get("APPLICATIONINSIGHTS_CONNECTION_STRING", "").strip()
    if not text and (key := environ.get("AML_APP_INSIGHTS_KEY") or environ.get("APPINSIGHTS_INSTRUMENTATIONKEY")):
        text = f"InstrumentationKey={key.strip()}"
    return ApplicationInsights(text, _TIMEOUT_S, resource) if text else None


def _otlp(environ: Mapping[str, str], resource: Mapping[str, Any]) -> Destination | None:
    def option(name: str) -> str:
        """Of traces, else of everything."""
        return (
            environ.get(f"OTEL_EXPORTER_OTLP_TRACES_{name}") or environ.get(f"OTEL_EXPORTER_OTLP_{name}", "")
        ).strip()

    url = environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "").strip()
    if not url and (base := environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").strip()):
        url = f"{base.rstrip('/')}/v1/traces"
    if not url or environ.get("OTEL_TRACES_EXPORTER", "otlp").strip().lower() == "none":
        return None
    if urlsplit(url).scheme not in ("http", "https"):
        raise UserError("OTEL_EXPORTER_OTLP_ENDPOINT must be an http:// or https:// address.")
    protocol = option("PROTOCOL") or "http/protobuf"
    if protocol not in ("http/protobuf", "http/json"):
        hint = "Set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf; collectors take it on port 4318, gRPC on 4317."
        raise UserError(f"Spans cannot be sent by {protocol}.", hint=hint)
    return Otlp(
        url,
        read_pairs(option("HEADERS"), "OTEL_EXPORTER_OTLP_HEADERS", shows=False),
        _timeout_s(option("TIMEOUT")),
        resource,
        ca_file=read_certificate(option("CERTIFICATE")),
        as_json=protocol == "http/json",
        gzips=option("COMPRESSION").lower() == "gzip",
    )


def read_certificate(file: str) -> str | None:
    """A file of certificates that can be used; None for no name. Raises UserError."""
    if not file:
        return None
    try:
        ssl.create_default_context(cafile=file)
    except (OSError, ssl.SSLError) as error:
        raise UserError(f"OTEL_EXPORTER_OTLP_CERTIFICATE: {file} cannot be used: {error}.") from None
    return file


def _resource(environ: Mapping[str, str], service: str, about: Mapping[str, str]) -> dict[str, str]:
    given = read_pairs(environ.get("OTEL_RESOURCE_ATTRIBUTES", ""), "OTEL_RESOURCE_ATTRIBUTES")
    named = environ.get("OTEL_SERVICE_NAME", "").strip()
    own = {"service.name": service, "telemetry.sdk.name": "flowyard", "telemetry.sdk.language": "python"}
    return {**own, **about, **given, **({"service.name": named} if named else {})}


def read_pairs(text: str, name: str, *, shows: bool = True) -> dict[str, str]:
    """``key=value,…`` with values as URLs have them. The error never repeats what may be a key."""
    found: dict[str, str] = {}
    for part in filter(None, map(str.strip, text.split(","))):
        key, sign, value = part.partition("=")
        key, value = key.strip(), unquote(value.strip())
        if not sign or not key or not value.isprintable() or not key.isascii() or not key.isprintable():
            raise UserError(f"{name} must read key=value,key=value{f', not {part!r}' if shows else ''}.")
        found[key] = value
    return found


def _timeout_s(text: str) -> float:
    try:
        milliseconds = float(text or _TIMEOUT_S * 1000)
    except ValueError:
        milliseconds = math.nan
    if not 0 < milliseconds <= 600_000:
        raise UserError(f"OTEL_EXPORTER_OTLP_TIMEOUT must be milliseconds, not {text!r}.")
    return milliseconds / 1000

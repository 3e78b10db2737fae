"""Which variables say where spans go."""

from __future__ import annotations

from typing import Any

import pytest

from flowyard.errors import UserError
from flowyard.spans import SpanSettings

OTLP = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318/base/"}


def read(environ: dict[str, str]) -> SpanSettings:
    return SpanSettings.read(environ, service="talk", about={"service.version": "1"})


@pytest.mark.parametrize(
    ("environ", "urls"),
    [
        ({}, []),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, []),
        (OTLP, ["http://collector:4318/base/v1/traces"]),
        ({**OTLP, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://other/spans"}, ["https://other/spans"]),
        ({**OTLP, "OTEL_TRACES_EXPORTER": "none"}, []),
        ({**OTLP, "OTEL_SDK_DISABLED": "True"}, []),
        ({**OTLP, "PF_BUILTIN_TRACE_EXPORTERS_DISABLE": "true"}, []),
        (
            {**OTLP, "APPLICATIONINSIGHTS_CONNECTION_STRING": "InstrumentationKey=k; IngestionEndpoint=https://there/"},
            ["http://collector:4318/base/v1/traces", "https://there/v2.1/track"],
        ),
        ({"AML_APP_INSIGHTS_KEY": "k"}, ["https://dc.services.visualstudio.com/v2.1/track"]),
        ({"APPINSIGHTS_INSTRUMENTATIONKEY": "k"}, ["https://dc.services.visualstudio.com/v2.1/track"]),
    ],
)
def test_destinations(environ: dict[str, str], urls: list[str]):
    assert [each.url for each in read(environ).destinations] == urls


def test_options_of_traces_go_before_those_of_everything():
    every = {
        f"OTEL_EXPORTER_OTLP_{name}": value for name, value in {"HEADERS": "a=1, b=x%2Cy", "TIMEOUT": "5000"}.items()
    }
    (one,) = read({**OTLP, **every}).destinations
    assert (one.headers, one.timeout_s) == ({"a": "1", "b": "x,y"}, 5.0)
    (other,) = read({**OTLP, **every, "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "c=2"}).destinations
    assert other.headers == {"c": "2"}


def test_a_label_shows_no_path_and_no_password():
    (one,) = read({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://me:s3cret@collector:4318/s3cret"}).destinations
    assert one.label == "http://collector:4318"


@pytest.mark.parametrize(
    ("name", "value", "has"),
    [
        ("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "true", True),
        ("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "SPAN_ONLY", True),
        ("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "false", False),
        ("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "NO_CONTENT", False),
        ("AZURE_TRACING_GEN_AI_CONTENT_RECORDING_ENABLED", "true", True),
    ],
)
def test_content_only_when_asked_for(name: str, value: str, has: bool):
    assert read({**OTLP, name: value}).has_content is has


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "missing.pem"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "s3cret-no-sign"),
        ("OTEL_TRACES_SAMPLER", "sometimes"),
        ("APPLICATIONINSIGHTS_CONNECTION_STRING", "IngestionEndpoint=https://s3cret"),
    ],
)
def test_what_cannot_be_is_said(name: str, value: str):
    with pytest.raises(UserError) as caught:
        read({**OTLP, name: value})
    said = f"{caught.value} {caught.value.hint}"
    assert name in said
    assert "s3cret" not in said


def test_the_resource_by_its_variables():
    given = {"OTEL_RESOURCE_ATTRIBUTES": "service.name=a,service.namespace=team,x=1%3D2"}
    plain = resource_of(read({**OTLP, **given}))
    assert (plain["service.name"], plain["x"], plain["service.version"]) == ("a", "1=2", "1")
    assert resource_of(read({**OTLP, **given, "OTEL_SERVICE_NAME": "b"}))["service.name"] == "b"
    assert resource_of(read(OTLP))["service.name"] == "talk"


def resource_of(settings: SpanSettings) -> dict[str, Any]:
    import json

    from flowyard.spans.otlp_json import export_request

    one = settings.destinations[0]
    form = export_request([], one._resource)  # type: ignore[attr-defined]
    found = json.loads(json.dumps(form))["resourceSpans"][0]["resource"]["attributes"]
    return {each["key"]: each["value"]["stringValue"] for each in found}

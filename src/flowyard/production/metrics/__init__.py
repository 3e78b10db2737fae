"""Series of production for other systems: read by Prometheus, sent by OpenTelemetry's protocol."""

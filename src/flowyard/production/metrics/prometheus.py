"""Readings in the text form that Prometheus reads."""

from __future__ import annotations

from collections.abc import Mapping

from flowyard.production.metrics.readings import Readings

__all__ = ["CONTENT_TYPE", "prometheus_text"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def prometheus_text(readings: Readings) -> str:
    """All metrics, each with the prefix ``flowyard_monitor_``. Values of labels may hold anything, and are escaped."""
    lines: list[str] = []
    for metric in readings.metrics:
        name = f"flowyard_monitor_{metric.name}"
        lines += [f"# HELP {name} {metric.text}", f"# TYPE {name} gauge"]
        lines += [f"{name}{_labels(point.labels)} {point.value:.12g}" for point in metric.points]
    return "".join(f"{line}\n" for line in lines)


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(text: str) -> str:
    valid = text.encode("utf-8", "replace").decode()
    return valid.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

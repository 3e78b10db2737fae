"""What MLflow gets of a run: parameters, metrics and tags. No value that may be a secret, nothing too long for it."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from flowyard._util.files import dump_json
from flowyard._util.redact import HIDDEN, may_be_secret
from flowyard.records import ExperimentRecord, RunRecord

__all__ = [
    "RUN",
    "dataset_of",
    "experiment_parameters",
    "experiment_tags",
    "metrics_of",
    "parameters_of",
    "run_metrics",
    "run_tags",
    "state_of",
    "time_ms",
]

RUN = "flowyard.run"
"""The tag that says which run it is: what was published is found by it."""

_MOST_VALUE = 500
_MOST_NAME = 240
_MOST_TAG = 4000
_NO_NAME_SIGN = re.compile(r"[^\w. :/-]|(?<=/)[./]+|^[./]+|[./ ]+$", re.ASCII)
_OWN_TAGS = ("mlflow.", "flowyard.")


def parameters_of(run: RunRecord) -> dict[str, str]:
    """What the run was made with: variant, parameters, mapping and the names of connections and models."""
    found: dict[str, Any] = {"flow": run.flow, "data": run.data, "dataset": run.dataset, "variant": run.variant}
    found |= {f"variant.{node}": variant for node, variant in run.assignment.items()}
    found |= {f"parameter.{name}": value for name, value in run.parameters.items()}
    found |= {f"mapping.{name}": value for name, value in run.column_mapping.items()}
    for node, fields in run.connections.items():
        found |= {f"connection.{node}.{name}": value for name, value in fields.items()}
    return _named({name: _hidden(name, value) for name, value in found.items() if value is not None})


def experiment_parameters(experiment: ExperimentRecord) -> dict[str, str]:
    """What an execution was asked for."""
    found: dict[str, Any] = {"environment": experiment.env, "default version": experiment.defaults}
    return _named({name: _text(value) for name, value in found.items() if value is not None})


def metrics_of(values: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """The numbers among metrics, those in mappings under ``name.inner``; what is no finite number is left out."""
    flat = {f"{prefix}{name}": number for name, number in _numbers(values)}
    return _named(flat)


def run_metrics(run: RunRecord) -> dict[str, float]:
    """What every run has: its lines, its time and what its model calls used."""
    usage = run.usage
    counted = {
        "lines.completed": run.lines.completed,
        "lines.failed": run.lines.failed,
        "lines.total": run.lines.total,
        "duration_s": run.duration_s,
        "calls": usage.calls,
        "tokens.prompt": usage.prompt_tokens,
        "tokens.completion": usage.completion_tokens,
        "cost_usd": usage.cost_usd,
    }
    return {f"run.{name}": float(value) for name, value in counted.items()}


def run_tags(run: RunRecord) -> dict[str, str]:
    """How the run is found and what it ran; the person's own tags beside them."""
    own = {name: value for name, value in run.tags.items() if not name.startswith(_OWN_TAGS)}
    facts = {
        RUN: run.name,
        "flowyard.role": run.role,
        "flowyard.status": run.status,
        "flowyard.flow_digest": run.flow_digest,
        "flowyard.data_digest": run.data_digest,
        "flowyard.base_run": run.base_run,
        "flowyard.simulated": "true" if run.simulated else None,
        "mlflow.runName": run.display_name or run.name,
        "mlflow.source.name": run.flow,
        "mlflow.note.content": run.description,
    }
    return _tags({name: _hidden(name, value) for name, value in own.items()} | facts)


def experiment_tags(experiment: ExperimentRecord) -> dict[str, str]:
    """How an execution is found, and what was decided."""
    return _tags(
        {
            RUN: f"{experiment.name}/{experiment.key}",
            "flowyard.role": "experiment",
            "flowyard.experiment": experiment.name,
            "flowyard.key": experiment.key,
            "flowyard.verdict": experiment.verdict,
            "flowyard.gates": dump_json(list(experiment.gates)) if experiment.gates else None,
            "mlflow.runName": f"{experiment.name} {experiment.key}",
            "mlflow.source.name": experiment.name,
        }
    )


def dataset_of(run: RunRecord) -> dict[str, Any] | None:
    """The data as MLflow's dataset: a name, a digest of at most 36 characters and where it is."""
    if not run.data:
        return None
    digest = run.data_digest or hashlib.sha256(run.data.encode()).hexdigest()
    name = run.dataset or run.data.rstrip("/").replace("\\", "/").rpartition("/")[2] or "data"
    return {
        "name": name[:_MOST_VALUE],
        "digest": digest.rpartition(":")[2][:36],
        "source_type": "flowyard",
        "source": dump_json({"data": run.data, "digest": run.data_digest}),
    }


def state_of(run: RunRecord) -> str:
    """MLflow's word for how a run ended."""
    return {"completed": "FINISHED", "failed": "FAILED", "canceled": "KILLED"}.get(run.status, "RUNNING")


def time_ms(text: str | None) -> int:
    """Milliseconds since 1970 of a time as records have it; 0 for none."""
    try:
        return int(datetime.fromisoformat(text or "").timestamp() * 1000)
    except ValueError:
        return 0


def _numbers(values: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from ((f"{name}.{inner}", number) for inner, number in _numbers(value))
        elif isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            yield str(name), float(value)


def _named(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values under names that MLflow takes, no two alike."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        plain = base = _NO_NAME_SIGN.sub("_", name)[:_MOST_NAME] or "_"
        number = 2
        while plain in found:
            plain = f"{base}_{number}"
            number += 1
        found[plain] = value
    return found


def _hidden(name: str, value: Any) -> str:
    return HIDDEN if may_be_secret(name) else _text(value)


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else dump_json(value)
    return text if len(text) <= _MOST_VALUE else f"{text[: _MOST_VALUE - 1]}…"


def _tags(values: Mapping[str, str | None]) -> dict[str, str]:
    named = _named({name: value for name, value in values.items() if value})
    return {name: value if len(value) <= _MOST_TAG else f"{value[: _MOST_TAG - 1]}…" for name, value in named.items()}

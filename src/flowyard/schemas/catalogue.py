"""Which files have a schema, and how each is made."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from flowyard._util.suggest import did_you_mean, known_names
from flowyard.errors import NotFound
from flowyard.gateway.config_file import GatewayFile
from flowyard.pipelines.generate.settings_file import PipelinesFile
from flowyard.production.alerts.policy_file import MonitoringFile
from flowyard.schemas.ab import ab_schema
from flowyard.schemas.deployment import deployment_schema
from flowyard.schemas.evaluators import golden_schema
from flowyard.schemas.experiment import experiment_schema, overlay_schema
from flowyard.schemas.flows import dag_schema, flex_schema
from flowyard.schemas.forms import Schema
from flowyard.schemas.models import model_schema
from flowyard.schemas.settings_files import project_schema, run_schema
from flowyard.simulation.rules import RulesFile

__all__ = ["SCHEMAS", "FileSchema", "find_schema", "schema_files"]

_DRAFT = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True, slots=True)
class FileSchema:
    """The schema of one kind of file: ``names`` are the patterns of such files, ``title`` says what they are."""

    name: str
    names: tuple[str, ...]
    title: str
    make: Callable[[], Schema]

    def schema(self) -> Schema:
        """The whole schema, of draft 2020-12."""
        return {"$schema": _DRAFT, "title": self.title, **self.make()}


SCHEMAS: tuple[FileSchema, ...] = (
    FileSchema("experiment", ("experiment.yaml",), "An experiment: flow, data, evaluators, gates", experiment_schema),
    FileSchema("overlay", ("experiment.*.yaml",), "What differs in one environment", overlay_schema),
    FileSchema("deployment", ("deployment.yaml",), "Where a use case is served", deployment_schema),
    FileSchema("ab", ("ab.yaml",), "A test of two versions in production", ab_schema),
    FileSchema("monitoring", ("monitoring.yaml",), "When people are told", lambda: model_schema(MonitoringFile)),
    FileSchema("gateway", ("gateway.yaml",), "One address before deployments", lambda: model_schema(GatewayFile)),
    FileSchema("pipelines", ("pipelines.yaml",), "What CI files go by", lambda: model_schema(PipelinesFile)),
    FileSchema("simulation", ("simulation.yaml",), "How a simulated model answers", lambda: model_schema(RulesFile)),
    FileSchema("golden", ("golden.yaml",), "What a served flow has to answer", golden_schema),
    FileSchema("run", ("run.yaml",), "A run of a flow over data", run_schema),
    FileSchema("flow.dag", ("flow.dag.yaml",), "A flow of nodes", dag_schema),
    FileSchema("flow.flex", ("flow.flex.yaml",), "A flow that is a function or a class", flex_schema),
    FileSchema("flowyard", ("flowyard.yaml",), "What holds for all commands in this repository", project_schema),
)


def find_schema(name: str) -> FileSchema:
    """The schema of that name, or for a file of that name. Raises NotFound with those there are."""
    by_name = {each.name: each for each in SCHEMAS} | {file: each for each in SCHEMAS for file in each.names}
    if name not in by_name:
        known = [each.name for each in SCHEMAS]
        raise NotFound(f"There is no schema {name!r}.", hint=did_you_mean(name, by_name) or known_names(known, most=20))
    return by_name[name]


def schema_files() -> dict[str, str]:
    """The text of each schema by the name of its file."""
    return {f"{each.name}.json": json.dumps(each.schema(), indent=1, ensure_ascii=False) + "\n" for each in SCHEMAS}

"""The template's scripts, and what does their work here. docs/from_template.md has the same table for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["SCRIPTS", "Script"]


@dataclass(frozen=True, slots=True)
class Script:
    """A module of the template: its stage in the pipelines, and the command that replaces it, None while none does.

    ``note`` says what is different.
    """

    stage: str
    command: str | None
    note: str = ""


_RUN = "flowyard experiment run USE_CASE --env ENV --variants VARIANTS"
_DEPLOYING = "Deploying is not yet carried over; flowyard flow build writes a Docker build context."
_DATA = "Data pipelines are not yet carried over."

SCRIPTS: Mapping[str, Script] = {
    "llmops.common.prompt_pipeline": Script("experiment", _RUN, "It runs, evaluates, compares and writes the reports."),
    "llmops.common.prompt_eval": Script("evaluation", _RUN, "Evaluation is a part of it; run ids need not be passed."),
    "llmops.common.prompt_local_connections": Script(
        "connections", "flowyard connection list", "Nothing is created: connections are found when they are needed."
    ),
    "llmops.common.register_data_asset": Script(
        "data registration", None, "Each run's record has a digest of its data; registering data is not carried over."
    ),
    "llmops.common.get_workspace": Script("login check", None, "There is no workspace, so leave it out."),
    "llmops.common.deployment.register_model": Script("model registration", None, _DEPLOYING),
    "llmops.common.deployment.provision_endpoint": Script("deployment", None, _DEPLOYING),
    "llmops.common.deployment.provision_deployment": Script("deployment", None, _DEPLOYING),
    "llmops.common.deployment.kubernetes_endpoint": Script("deployment", None, _DEPLOYING),
    "llmops.common.deployment.kubernetes_deployment": Script("deployment", None, _DEPLOYING),
    "llmops.common.deployment.test_model_on_aml": Script("smoke test", None, _DEPLOYING),
    "llmops.common.deployment.test_model_on_kubernetes": Script("smoke test", None, _DEPLOYING),
    "llmops.common.deployment.test_local_flow": Script(
        "smoke test",
        "flowyard flow test --flow FLOW --inputs sample-request.json",
        "It exits 1 when the flow fails; the template's script never fails.",
    ),
    "llmops.common.deployment.migrate_connections": Script(
        "image", "flowyard flow build --source FLOW --output DIR", "Connections are written without their secrets."
    ),
    "llmops.common.deployment.generate_config": Script(
        "image", "flowyard flow serve --source FLOW --init init.json", "Init values are options of the server."
    ),
    "llmops.common.deployment.generate_env_vars": Script(
        "image",
        "flowyard flow serve --source FLOW --environment-variables .env",
        "Variables are options of the server.",
    ),
    "dataops.common.aml_pipeline": Script("data pipeline", None, _DATA),
    "dataops.common.aml_data_store": Script("data pipeline", None, _DATA),
    "dataops.common.aml_data_asset": Script("data pipeline", None, _DATA),
}

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
_DEPLOY = "flowyard deploy apply USE_CASE --env ENV"
_DEPLOYING = "It reads deployment.yaml, or configs/deployment_config.json as it is, and tests before requests arrive."
_DATA = "Data pipelines are not yet carried over."

SCRIPTS: Mapping[str, Script] = {
    "llmops.common.prompt_pipeline": Script("experiment", _RUN, "It runs, evaluates, compares and writes the reports."),
    "llmops.common.prompt_eval": Script("evaluation", _RUN, "Evaluation is a part of it; run ids need not be passed."),
    "llmops.common.prompt_local_connections": Script(
        "connections", "flowyard connection list", "Nothing is created: connections are found when they are needed."
    ),
    "llmops.common.register_data_asset": Script(
        "data registration",
        "flowyard release USE_CASE --env ENV",
        "It registers data that changed; alone: flowyard dataset register FILE --name NAME.",
    ),
    "llmops.common.get_workspace": Script("login check", None, "There is no workspace, so leave it out."),
    "llmops.common.deployment.register_model": Script(
        "model registration",
        "flowyard registry register FLOW --name NAME",
        "A version is new only when its content is.",
    ),
    "llmops.common.deployment.provision_endpoint": Script("deployment", _DEPLOY, _DEPLOYING),
    "llmops.common.deployment.provision_deployment": Script("deployment", _DEPLOY, _DEPLOYING),
    "llmops.common.deployment.kubernetes_endpoint": Script("deployment", _DEPLOY, _DEPLOYING),
    "llmops.common.deployment.kubernetes_deployment": Script("deployment", _DEPLOY, _DEPLOYING),
    "llmops.common.deployment.test_model_on_aml": Script(
        "smoke test", _DEPLOY, "The test is a part of it, and a failed one gives no requests away."
    ),
    "llmops.common.deployment.test_model_on_kubernetes": Script(
        "smoke test", _DEPLOY, "The test is a part of it, and a failed one gives no requests away."
    ),
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

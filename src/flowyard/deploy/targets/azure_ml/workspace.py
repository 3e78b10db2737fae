"""Which workspace: from the options, else from the environment, else from the registry's address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flowyard.azure import arm_path
from flowyard.deploy.options.azure_ml import AzureMlOptions
from flowyard.errors import UserError

__all__ = ["Workspace", "find_workspace"]

_VARIABLES = {
    "subscription_id": ("AZURE_SUBSCRIPTION_ID", "SUBSCRIPTION_ID"),
    "resource_group": ("AZURE_RESOURCE_GROUP", "RESOURCE_GROUP_NAME"),
    "workspace": ("AZUREML_WORKSPACE_NAME", "WORKSPACE_NAME"),
}
"""Ours first, then the name that the GenAIOps template has for it."""

_REGISTRY = "FLOWYARD_REGISTRY"


@dataclass(frozen=True, slots=True)
class Workspace:
    """A workspace by its names."""

    subscription_id: str
    resource_group: str
    name: str

    @property
    def path(self) -> str:
        """Its path in the management API."""
        provider = ("providers", "Microsoft.MachineLearningServices", "workspaces")
        return arm_path(
            "subscriptions", self.subscription_id, "resourceGroups", self.resource_group, *provider, self.name
        )

    @property
    def words(self) -> str:
        """What ``az ml`` takes to find it."""
        return (
            f"--subscription {self.subscription_id} --resource-group {self.resource_group} --workspace-name {self.name}"
        )


def find_workspace(options: AzureMlOptions, environ: Mapping[str, str]) -> Workspace:
    """The workspace that is meant. Raises UserError with all that is missing and every name it may come by."""
    of_registry = _named_by_registry(environ.get(_REGISTRY, ""))
    found, missing = {}, []
    for option, variables in _VARIABLES.items():
        named = (environ[variable] for variable in variables if environ.get(variable))
        value = getattr(options, option) or next(named, None) or of_registry.get(option)
        if value:
            found[option] = str(value)
        else:
            missing.append(f"options: {{{option}: …}} in deployment.yaml, or the variable {' or '.join(variables)}")
    if missing:
        all_three = f"or all three: {_REGISTRY}=azureml://subscriptions/ID/resourceGroups/GROUP/workspaces/NAME"
        raise UserError("It is not said which workspace of Azure ML is meant.", hint="\n".join([*missing, all_three]))
    return Workspace(found["subscription_id"], found["resource_group"], found["workspace"])


def _named_by_registry(url: str) -> dict[str, str]:
    parts = url.removeprefix("azureml://").strip("/").split("/")
    named = dict(zip((part.lower() for part in parts[::2]), parts[1::2], strict=False))
    if not url.startswith("azureml://") or "workspaces" not in named:
        return {}
    keys = {"subscription_id": "subscriptions", "resource_group": "resourcegroups", "workspace": "workspaces"}
    return {option: named.get(key, "") for option, key in keys.items()}

"""Commands for what a CI system has to know: names and ids, no secret of Azure."""

from __future__ import annotations

from urllib.parse import quote

from flowyard.azure.setup.logins import APP, label_of
from flowyard.azure.setup.order import AzureDevops, EnvironmentOrder, GitHub, SetupOrder
from flowyard.azure.setup.words import Command, Step, Variable, Word

__all__ = ["pipeline_steps"]

_TENANT, _SUBSCRIPTION = Variable("tenant_id"), Variable("subscription")


def pipeline_steps(order: SetupOrder, environment: EnvironmentOrder) -> list[Step]:
    """For an environment: its secrets and variables."""
    if isinstance(order.ci, GitHub):
        return [_github(order, order.ci, environment)]
    if isinstance(order.ci, AzureDevops):
        return [_variable_group(order, environment)]
    return []


def _place(order: SetupOrder) -> dict[str, Word]:
    """The variables that flowyard finds the workspace by."""
    found: dict[str, Word] = {"AZURE_RESOURCE_GROUP": Variable("resource_group")}
    return {**found, "AZUREML_WORKSPACE_NAME": Variable("workspace")} if order.workspace else found


def _github(order: SetupOrder, github: GitHub, environment: EnvironmentOrder) -> Step:
    if github.is_generated:
        name = f"AZURE_CLIENT_ID_{environment.name.upper()}"
        return Step(
            f"{environment.name}: as whom its jobs log in",
            "An id is no secret.",
            (Command(("gh", "variable", "set", name, "--repo", github.path), given=APP),),
        )
    place = ("--repo", github.path, "--env", environment.name)
    ids: dict[str, Word] = {"AZURE_CLIENT_ID": APP, "AZURE_TENANT_ID": _TENANT, "AZURE_SUBSCRIPTION_ID": _SUBSCRIPTION}
    path = f"repos/{github.path}/environments/{quote(environment.name, safe='')}"
    return Step(
        f"{environment.name}: the environment on GitHub",
        "Ids are no secrets, but the workflows of both articles read them from there.",
        (
            Command(("gh", "api", "--method", "PUT", path, "--silent"), unless=("gh", "api", path, "--silent")),
            *(Command(("gh", "secret", "set", name, *place), given=value) for name, value in ids.items()),
            *(Command(("gh", "variable", "set", name, *place), given=value) for name, value in _place(order).items()),
        ),
    )


def _variable_group(order: SetupOrder, environment: EnvironmentOrder) -> Step:
    name = label_of("flowyard", order.project, environment.name)
    head = ("az", "pipelines", "variable-group")
    place = ("--organization", Variable("organization"), "--project", Variable("project"))
    values: dict[str, Word] = {"AZURE_SUBSCRIPTION_ID": _SUBSCRIPTION, **_place(order)}
    pairs: list[Word] = [_pair(key, value) for key, value in values.items()]
    create = (*head, "create", *place, "--name", name, "--authorize", "false")
    return Step(
        f"{environment.name}: the variable group",
        "For no pipeline yet: allow each one. A step logs in with azureSubscription: " + name + ".",
        (
            Command(
                (*head, "list", *place, "--group-name", name, "--query", "[0].id", "--output", "tsv"), into="group_id"
            ),
            Command(
                (*create, "--variables", *pairs, f"AZURE_SERVICE_CONNECTION={name}", "--output", "none"),
                only_if_empty="group_id",
            ),
        ),
    )


def _pair(key: str, value: Word) -> Word:
    return (f"{key}=", *(value if isinstance(value, tuple) else (value,)))

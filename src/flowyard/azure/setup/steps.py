"""All steps of a set-up, in the order in which one needs the other."""

from __future__ import annotations

from flowyard.azure.setup.connections import connection_step
from flowyard.azure.setup.logins import application_step, login_steps
from flowyard.azure.setup.order import AzureDevops, SetupOrder
from flowyard.azure.setup.pipelines import pipeline_steps
from flowyard.azure.setup.roles import deployer_step, endpoint_step, reader_step
from flowyard.azure.setup.words import Command, Step, Variable, Word

__all__ = ["setup_steps"]

_TSV = ("--output", "tsv")


def setup_steps(order: SetupOrder) -> list[Step]:
    """The steps. Nothing is run, and none of them holds a secret."""
    steps = [_names(order), _ids(order)]
    for environment in order.environments:
        steps += [application_step(order, environment), *login_steps(order, environment)]
        if environment.deploys:
            steps += [deployer_step(environment), endpoint_step(order, environment)]
        else:
            steps.append(reader_step(environment))
        steps += pipeline_steps(order, environment)
    if order.workspace:
        online = [each for each in order.environments if each.target == "azure-ml"]
        names = sorted({name for each in online for name in each.connections})
        steps += [connection_step(order, name) for name in names]
    return steps


def _names(order: SetupOrder) -> Step:
    values = {"subscription": order.subscription, "resource_group": order.resource_group}
    values |= {"workspace": order.workspace} if order.workspace else {}
    if isinstance(order.ci, AzureDevops):
        values |= {"organization": order.ci.url, "project": order.ci.project}
    return Step("the place", "", tuple(_assigned(name, value) for name, value in values.items()))


def _assigned(name: str, value: str) -> str:
    return f"{name}={Command((value,)).text()}"


def _ids(order: SetupOrder) -> Step:
    subscription = ("--subscription", Variable("subscription"))
    tenant = ("az", "account", "show", *subscription, "--query", "tenantId", *_TSV)
    commands: list[Command | str] = [Command(tenant, into="tenant_id")] if order.ci is not None else []
    if order.workspace and any(each.target == "azure-ml" for each in order.environments):
        show: tuple[Word, ...] = ("az", "ml", "workspace", "show", *subscription)
        show = (*show, "--resource-group", Variable("resource_group"), "--name", Variable("workspace"))
        parts = {
            "workspace_id": "id",
            "registry_id": "container_registry",
            "storage_id": "storage_account",
        }
        commands += [Command((*show, "--query", query, *_TSV), into=name) for name, query in parts.items()]
    commands += ['work_file="$(umask 077; mktemp)"', "trap 'rm -f \"$work_file\"' EXIT"]
    return Step("what is there", "", tuple(commands))

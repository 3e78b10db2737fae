"""Commands for who may do what: the least roles that a deployment takes, on single resources."""

from __future__ import annotations

from collections.abc import Mapping

from flowyard.azure.built_in_roles import (
    ACR_PULL,
    ACR_PUSH,
    CONNECTION_READER,
    DEPLOYER_ROLES,
    ENDPOINT_ROLES,
    Part,
    role_assignment,
)
from flowyard.azure.setup.logins import PRINCIPAL, label_of
from flowyard.azure.setup.order import EnvironmentOrder, SetupOrder
from flowyard.azure.setup.words import Command, Step, Variable, Word

__all__ = ["deployer_step", "endpoint_step", "reader_step"]

_IDENTITY = Variable("identity_principal")
_TSV = ("--output", "tsv")
_SCOPES: Mapping[Part, Variable] = {
    "workspace": Variable("workspace_id"),
    "containerRegistry": Variable("registry_id"),
    "storageAccount": Variable("storage_id"),
}


def deployer_step(environment: EnvironmentOrder) -> Step:
    """What the application of an environment may do."""
    roles: list[tuple[str, Word]] = []
    if environment.target == "azure-ml":
        roles = [(role, _SCOPES[part]) for part, role in DEPLOYER_ROLES.items()]
    else:
        group = Variable("web_group_id")
        roles = [
            ("Website Contributor", group),
            ("Web Plan Contributor", group),
            (ACR_PUSH, Variable("web_registry_id")),
        ]
    return Step(
        f"{environment.name}: what the application may do",
        "On single resources, and without the right to give roles.",
        (*_web_places(environment), *(_give(PRINCIPAL, role, scope) for role, scope in roles)),
    )


def reader_step(environment: EnvironmentOrder) -> Step:
    """What an application may do that only measures: its experiments call models by the workspace's connections."""
    return Step(
        f"{environment.name}: what the application may do",
        "It reads the workspace's connections. Where models take no key, give it their own role on them, such as\n"
        "Cognitive Services OpenAI User; where versions are registered in Azure ML, give ci AzureML Data Scientist.",
        (_give(PRINCIPAL, CONNECTION_READER, _SCOPES["workspace"]),),
    )


def endpoint_step(order: SetupOrder, environment: EnvironmentOrder) -> Step:
    """The identity that the served flow has, and what it may do."""
    show = ("az", "identity", "show", "--ids", Variable("identity_id"), "--query", "principalId", *_TSV)
    if environment.target == "azure-ml":
        roles: list[tuple[str, Word]] = [(role, _SCOPES[part]) for part, role in ENDPOINT_ROLES.items()]
    else:
        roles = [(ACR_PULL, Variable("web_registry_id"))]
    if environment.vault is not None:
        roles.append(("Key Vault Secrets User", Variable("vault_id")))
    option = "identities: [%s]" if environment.target == "azure-ml" else "identity: %s"
    return Step(
        f"{environment.name}: the identity of the served flow",
        "Made here, so that a pipeline needs no right to give roles. Key Vault Reader would not read secrets.",
        (
            _identity(order, environment),
            Command(show, into=_IDENTITY.name),
            *_vault(environment),
            *(_give(_IDENTITY, role, scope) for role, scope in roles),
            _give(PRINCIPAL, "Managed Identity Operator", Variable("identity_id")),
            Command(
                ("printf", f"deployment.yaml, %s: options: {{{option}}}\\n", environment.name, Variable("identity_id"))
            ),
        ),
    )


def _identity(order: SetupOrder, environment: EnvironmentOrder) -> Command | str:
    """What puts the identity's resource id into ``identity_id``; it is made where only its name is known."""
    given = environment.identity
    if given is not None and given.startswith("/"):
        return f"identity_id={Command((given,)).text()}"
    name = given or label_of(order.project, environment.name, "flow")
    group: Word = Variable("resource_group") if environment.group is None else environment.group
    words: tuple[Word, ...] = ("az", "identity", "create", "--subscription", Variable("subscription"))
    return Command((*words, "--resource-group", group, "--name", name, "--query", "id", *_TSV), into="identity_id")


def _web_places(environment: EnvironmentOrder) -> list[Command]:
    if environment.target != "azure-webapp":
        return []
    subscription = ("--subscription", Variable("subscription"))
    group: Word = Variable("resource_group") if environment.group is None else environment.group
    find: tuple[Word, ...] = ("az", "group", "show", *subscription, "--name", group, "--query", "id", *_TSV)
    registry = environment.registry or ""
    return [
        Command(find, into="web_group_id"),
        Command(
            ("az", "acr", "show", *subscription, "--name", registry, "--query", "id", *_TSV), into="web_registry_id"
        ),
    ]


def _vault(environment: EnvironmentOrder) -> list[Command]:
    if environment.vault is None:
        return []
    words: tuple[Word, ...] = ("az", "keyvault", "show", "--subscription", Variable("subscription"))
    return [Command((*words, "--name", environment.vault, "--query", "id", *_TSV), into="vault_id")]


def _give(principal: Word, role: str, scope: Word) -> Command:
    return Command((*role_assignment(principal, role, scope), "--output", "none"))

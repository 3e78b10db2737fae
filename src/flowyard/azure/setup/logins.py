"""Commands for who logs in: an application for each environment, which trusts a CI system or has a secret."""

from __future__ import annotations

import json
import re
from hashlib import sha256

from flowyard.azure.setup.order import AzureDevops, EnvironmentOrder, GitHub, SetupOrder
from flowyard.azure.setup.words import Command, Step, Variable, Word

__all__ = ["application_step", "label_of", "login_steps"]

_AUDIENCE = "api://AzureADTokenExchange"
_GITHUB_ISSUER = "https://token.actions.githubusercontent.com"
_TSV = ("--output", "tsv")
APP = Variable("app_id")
PRINCIPAL = Variable("principal_id")


def label_of(*names: str) -> str:
    """A name that every part of Azure takes: letters, digits and ``-``; others are told apart by a digest."""
    text = "-".join(names)
    plain = re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")
    return (
        plain
        if plain == text and len(plain) <= 60
        else f"{plain[:50]}-{sha256(text.encode()).hexdigest()[:8]}".strip("-")
    )


def application_step(order: SetupOrder, environment: EnvironmentOrder) -> Step:
    """The application of an environment and its service principal."""
    name = label_of("flowyard", order.project, environment.name)
    show = ("az", "ad", "sp", "show", "--id", APP)
    return Step(
        f"{environment.name}: who {'deploys' if environment.deploys else 'measures, and deploys nothing'}",
        "An application of its own for each environment, so that one cannot do what another may."
        if environment.deploys
        else "An application of its own: what runs before anybody said yes cannot deploy.",
        (
            Command(("az", "ad", "app", "create", "--display-name", name, "--query", "appId", *_TSV), into=APP.name),
            Command(("az", "ad", "sp", "create", "--id", APP, "--output", "none"), unless=show),
            Command((*show, "--query", "id", *_TSV), into=PRINCIPAL.name),
        ),
    )


def login_steps(order: SetupOrder, environment: EnvironmentOrder) -> list[Step]:
    """How that application is logged in to."""
    if isinstance(order.ci, GitHub):
        return [_github(order.ci, environment)]
    if isinstance(order.ci, AzureDevops):
        return [_service_connection(order, order.ci, environment), _trust_connection(environment)]
    return [_secret(order, environment)]


def _federated(name: str, issuer: Word, subject: Word) -> Command:
    """Trust in tokens of an issuer for a subject; both may be variables, whose values have no quotes."""
    parts: list[str | Variable] = []
    for key, value in (("name", name), ("issuer", issuer), ("subject", subject)):
        inner = json.dumps(value, ensure_ascii=False)[1:-1] if isinstance(value, str) else value
        opening = f'"{key}": "' if parts else f'{{"{key}": "'
        parts += [opening, *(inner if isinstance(inner, tuple) else (inner,)), '", ']
    parts.append(f'"audiences": ["{_AUDIENCE}"]}}')
    show = ("az", "ad", "app", "federated-credential", "show", "--id", APP, "--federated-credential-id", name)
    create = ("az", "ad", "app", "federated-credential", "create", "--id", APP)
    return Command((*create, "--parameters", _joined(parts), "--output", "none"), unless=show)


def _joined(parts: list[str | Variable]) -> Word:
    """The same with texts that follow each other made one."""
    found: list[str | Variable] = []
    for each in parts:
        if isinstance(each, str) and found and isinstance(found[-1], str):
            found[-1] += each
        else:
            found.append(each)
    return tuple(found)


def _github(github: GitHub, environment: EnvironmentOrder) -> Step:
    name, repo = environment.name, github.path
    subjects = environment.subjects or (f"environment:{name}",)
    subjects += tuple(f"ref:refs/heads/{each}" for each in github.branches)
    return Step(
        f"{name}: jobs of {repo} log in without a secret",
        "GitHub's token of a job is trusted for exactly these subjects. Give the environment its reviewers on GitHub."
        if not environment.subjects or environment.deploys
        else "GitHub's token of a job is trusted for exactly these subjects. A pull request from a fork gets none.",
        tuple(_federated(label_of("github", _short(each)), _GITHUB_ISSUER, f"repo:{repo}:{each}") for each in subjects),
    )


def _short(subject: str) -> str:
    """What a credential is called for: an environment, a branch, or pull requests."""
    return subject.replace("ref:refs/heads/", "branch-").replace("environment:", "environment-").replace("_", "-")


def _service_connection(order: SetupOrder, devops: AzureDevops, environment: EnvironmentOrder) -> Step:
    name = label_of("flowyard", order.project, environment.name)
    place = ("--organization", Variable("organization"), "--project", Variable("project"))
    head = ("az", "devops", "service-endpoint")
    body = json.dumps(_connection_body(order, devops, name), ensure_ascii=False)
    words: list[str | Variable] = []
    for index, part in enumerate(body.split(_MARK)):
        words.append(Variable(part) if index % 2 else part)
    create = (
        *head,
        "create",
        *place,
        "--service-endpoint-configuration",
        Variable("work_file"),
        "--query",
        "id",
        *_TSV,
    )
    return Step(
        f"{environment.name}: the service connection",
        "With workload identity federation: Azure DevOps keeps no secret. It is for no pipeline yet: allow each one.",
        (
            Command((*head, "list", *place, "--query", f"[?name=='{name}'].id | [0]", *_TSV), into="connection_id"),
            Command(("az", "devops", "project", "show", *place, "--query", "id", *_TSV), into="project_id"),
            f'{_printed(tuple(words))} > "$work_file"',
            Command(create, into="connection_id", only_if_empty="connection_id"),
        ),
    )


_MARK = "\ue000"
"""Stands around the names of variables; no name that was checked has it."""


def _connection_body(order: SetupOrder, devops: AzureDevops, name: str) -> dict[str, object]:
    return {
        "name": name,
        "type": "azurerm",
        "url": "https://management.azure.com/",
        "authorization": {
            "scheme": "WorkloadIdentityFederation",
            "parameters": {"tenantid": f"{_MARK}tenant_id{_MARK}", "serviceprincipalid": f"{_MARK}app_id{_MARK}"},
        },
        "data": {
            "environment": "AzureCloud",
            "scopeLevel": "Subscription",
            "subscriptionId": order.subscription,
            "subscriptionName": order.subscription,
            "creationMode": "Manual",
        },
        "isShared": False,
        "isReady": True,
        "serviceEndpointProjectReferences": [
            {"name": name, "projectReference": {"id": f"{_MARK}project_id{_MARK}", "name": devops.project}}
        ],
    }


def _printed(word: Word) -> str:
    return Command(("printf", r"%s\n", word)).text()


def _trust_connection(environment: EnvironmentOrder) -> Step:
    show = ("az", "devops", "service-endpoint", "show", "--organization", Variable("organization"))
    where = ("--project", Variable("project"), "--id", Variable("connection_id"))
    fields = {"issuer": "workloadIdentityFederationIssuer", "subject": "workloadIdentityFederationSubject"}
    return Step(
        f"{environment.name}: trust in the service connection",
        "Issuer and subject are those that Azure DevOps made for it.",
        (
            *(
                Command((*show, *where, "--query", f"authorization.parameters.{field}", *_TSV), into=name)
                for name, field in fields.items()
            ),
            _federated("azure-devops", Variable("issuer"), Variable("subject")),
        ),
    )


def _secret(order: SetupOrder, environment: EnvironmentOrder) -> Step:
    kind = ("--append", "--years", "1", "--display-name", "flowyard")
    reset = Command(("az", "ad", "app", "credential", "reset", "--id", APP, *kind, "--query", "password", *_TSV)).text()
    name = label_of("flowyard", order.project, environment.name, "client-secret")
    why = "Only where no CI system is trusted (--github, --azure-devops): a secret ends, and can be lost."
    if order.key_vault is None:
        file = f"./{name}.txt"
        lines: tuple[Command | str, ...] = (f"(umask 077; {reset} > {file})",)
        return Step(
            f"{environment.name}: a secret in the file {file}", f"{why}\nMove it to where secrets are kept.", lines
        )
    keep = ("az", "keyvault", "secret", "set", "--vault-name", order.key_vault, "--name", name)
    return Step(
        f"{environment.name}: a secret in the key vault",
        why,
        (f'{reset} > "$work_file"', Command((*keep, "--file", Variable("work_file"), "--output", "none"))),
    )

"""Setting up on Azure DevOps."""

from __future__ import annotations

from flowyard.azure.setup import AzureDevops, Step, setup_steps
from flowyard.azure.setup.logins import label_of
from flowyard.azure.setup.words import Command, Variable, Word
from flowyard.errors import UserError
from flowyard.pipelines.generate.model import STATE_SECRETS
from flowyard.pipelines.setup.repository import BRANCHES, CiOrder, azure_order, files_step, first_change_step
from flowyard.pipelines.stages import PIPELINES

__all__ = ["azure_devops_steps"]

_TSV = ("--output", "tsv")
_NONE = ("--output", "none")
_PROJECT = ("--organization", Variable("organization"), "--project", Variable("project"))
_CHECKS = "checks_id"
"""The variable with the id of the pipeline that a pull request has to pass."""
_SECRETS = STATE_SECRETS


def azure_devops_steps(order: CiOrder) -> list[Step]:
    """All steps, in the order in which one needs the other."""
    assert isinstance(order.ci, AzureDevops)
    ci, azure = order.ci, azure_order(order)
    base = _base(ci)
    steps = [files_step("azure-devops", _settings(order, base)), _place(ci), _repository(order)]
    steps += setup_steps(azure) if azure else []
    steps += [_group(base, env, is_there=azure is not None) for env in ("dev", "prod")]
    steps += [_pipeline(order.repository, name) for name in PIPELINES]
    steps += [step for branch in BRANCHES for step in _policies(branch)]
    create: tuple[Word, ...] = ("az", "repos", "pr", "create", *_PROJECT, "--repository", order.repository)
    create = (*create, "--source-branch", "feature/first", "--target-branch", BRANCHES[1], "--query", "pullRequestId")
    return [*steps, first_change_step((*create, *_TSV)), _deploy()]


def _base(ci: AzureDevops) -> str:
    """What names of service connections and variable groups begin with; the environment follows.

    Raises UserError where ``flowyard azure setup`` would have to call them something else.
    """
    base = label_of("flowyard", ci.project)
    if f"{base}-prod" != label_of("flowyard", ci.project, "prod"):
        raise UserError(
            f"The project {ci.project!r} has a name that connections cannot be called after.",
            hint="Use flowyard azure setup --print, and name its connections and groups in pipelines.yaml.",
        )
    return base


def _settings(order: CiOrder, base: str) -> tuple[str, ...]:
    lines = [f"install: {{extras: [{'azure, ' if order.cloud else ''}postgres]}}"]
    lines += [f"approvers: [{', '.join(order.people)}]"] if order.people else []
    lines += [f"notify: {each}" for each in order.people[:1] if "@" in each]
    if order.cloud is None:
        return (*lines, f"groups: {{dev: {base}-dev, prod: {base}-prod}}")
    return (*lines, f"cloud: {{login: azure, service_connection: {base}}}")


def _place(ci: AzureDevops) -> Step:
    values = {"organization": ci.url, "project": ci.project}
    return Step("the project", "", tuple(f"{name}={Command((value,)).text()}" for name, value in values.items()))


def _repository(order: CiOrder) -> Step:
    name = order.repository
    show = ("az", "repos", "show", *_PROJECT, "--repository", name)
    return Step(
        "the repository and its branches",
        "development is what pull requests go to; main is what serves in production.",
        (
            Command(("az", "repos", "create", *_PROJECT, "--name", name, *_NONE), unless=show),
            Command((*show, "--query", "remoteUrl", *_TSV), into="remote"),
            Command((*show, "--query", "id", *_TSV), into="repository_id"),
            Command(
                ("git", "remote", "add", "origin", Variable("remote")), unless=("git", "remote", "get-url", "origin")
            ),
            *(Command(("git", "push", "--quiet", "origin", f"HEAD:refs/heads/{each}")) for each in BRANCHES),
            Command(("git", "fetch", "--quiet", "origin")),
            Command(
                ("az", "repos", "update", *_PROJECT, "--repository", name, "--default-branch", BRANCHES[1], *_NONE)
            ),
        ),
    )


def _group(base: str, env: str, *, is_there: bool) -> Step:
    name = f"{base}-{env}"
    head = ("az", "pipelines", "variable-group")
    find = Command((*head, "list", *_PROJECT, "--group-name", name, "--query", "[0].id", *_TSV), into="group_id")
    create = Command(
        (
            *(*head, "create", *_PROJECT, "--name", name, "--authorize", "false"),
            *("--variables", f"FLOWYARD_GROUP={env}", "--query", "id", *_TSV),
        ),
        into="group_id",
        only_if_empty="group_id",
    )
    add: tuple[Word, ...] = (*head, "variable", "create", *_PROJECT, "--group-id", Variable("group_id"))
    return Step(
        f"{env}: shared records, and the key of the ledger",
        "FLOWYARD_STORE is the address of the database that all jobs share. az reads each value from a variable that\n"
        "you set before, AZURE_DEVOPS_EXT_PIPELINE_VAR_ and the name; a key is made by: openssl rand -base64 32",
        (
            ": " + " ".join(f'"${{AZURE_DEVOPS_EXT_PIPELINE_VAR_{each}:?}}"' for each in _SECRETS),
            find,
            *(() if is_there else (create,)),
            *(Command((*add, "--name", each, "--secret", "true", *_NONE)) for each in _SECRETS),
        ),
    )


def _pipeline(repository: str, name: str) -> Step:
    create: tuple[Word, ...] = ("az", "pipelines", "create", *_PROJECT, "--name", f"flowyard-{name}")
    where = ("--repository", repository, "--repository-type", "tfsgit", "--branch", BRANCHES[1])
    file = ("--yml-path", f".azure-pipelines/flowyard-{name}-pipeline.yml", "--skip-first-run", "true")
    asked = Command((*create, *where, *file, "--query", "id", *_TSV), into=_CHECKS) if name == "pr" else None
    return Step(
        f"the pipeline {name}",
        PIPELINES[name].summary,
        (asked or Command((*create, *where, *file, *_NONE)),),
    )


def _policies(branch: str) -> list[Step]:
    head = ("az", "repos", "policy")
    where: tuple[Word, ...] = (*_PROJECT, "--repository-id", Variable("repository_id"), "--branch", branch)
    is_on = ("--blocking", "true", "--enabled", "true", *_NONE)
    build: tuple[Word, ...] = (
        "--build-definition-id",
        Variable(_CHECKS),
        "--display-name",
        "flowyard",
        "--valid-duration",
        "0",
    )
    count = ("--minimum-approver-count", "1", "--creator-vote-counts", "false", "--allow-downvotes", "false")
    build = (*build, "--manual-queue-only", "false", "--queue-on-source-update-only", "false")
    merge = ("--allow-squash", "true", "--allow-no-fast-forward", "true", "--allow-rebase", "false")
    return [
        Step(
            f"{branch} is protected",
            "A pull request has to pass; somebody else has to look; and each merge is one commit on the branch,\n"
            "because what changed since the commit before is what runs.",
            (
                Command((*head, "build", "create", *where, *build, *is_on)),
                Command((*head, "approver-count", "create", *where, *count, "--reset-on-source-push", "true", *is_on)),
                Command((*head, "merge-strategy", "create", *where, *merge, "--allow-rebase-merge", "false", *is_on)),
            ),
        )
    ]


def _deploy() -> Step:
    return Step(
        "the first deployment",
        "Complete the pull request: it is registered and deployed to dev; release/* into main promotes it.\n"
        "Permit the pipelines to use the variable groups and service connections when their first run asks.",
        (Command(("az", "pipelines", "runs", "list", *_PROJECT, "--branch", BRANCHES[1], "--output", "table")),),
    )

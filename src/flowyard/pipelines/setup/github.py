"""Setting up on GitHub."""

from __future__ import annotations

import json

from flowyard.azure.setup import GitHub, Step, setup_steps
from flowyard.azure.setup.words import Command, Variable, Word
from flowyard.pipelines.generate.model import STATE_SECRETS
from flowyard.pipelines.setup.repository import BRANCHES, CiOrder, azure_order, files_step, first_change_step
from flowyard.pipelines.stages import PIPELINES

__all__ = ["github_steps"]

_CHECK = "flowyard result"
"""The one check that a pull request has to pass, however many use cases it touches."""
_ACTIONS = 15368
"""The app of GitHub Actions: a check of that name by anybody else does not count."""
_PLACE: dict[str, Word] = {
    "AZURE_SUBSCRIPTION_ID": Variable("subscription"),
    "AZURE_RESOURCE_GROUP": Variable("resource_group"),
    "AZUREML_WORKSPACE_NAME": Variable("workspace"),
}
_IDS: dict[str, Word] = {"AZURE_TENANT_ID": Variable("tenant_id"), **_PLACE}


def github_steps(order: CiOrder) -> list[Step]:
    """All steps, in the order in which one needs the other."""
    assert isinstance(order.ci, GitHub)
    path = order.ci.path
    azure = azure_order(order)
    steps = [
        files_step("github", _settings(order)),
        _repository(path),
        *(_protected(path, each) for each in BRANCHES),
    ]
    steps += [*setup_steps(azure), _place(path)] if azure else []
    steps += [_environment(path, env, branch, order.people) for env, branch in _environments().items()]
    steps += [_secrets(path)]
    create = ("gh", "pr", "create", "--repo", path, "--base", BRANCHES[1], "--head", "feature/first", "--fill")
    return [*steps, first_change_step(create), _deploy(path)]


def _settings(order: CiOrder) -> tuple[str, ...]:
    install = "install: {extras: [azure, postgres]}" if order.cloud else "install: {extras: [postgres]}"
    if order.cloud is None:
        return (install, "cloud: {login: none}")
    names = ", ".join(_PLACE)
    variables = ", ".join(f"{env}: [{names}]" for env in ("pr", "dev", "prod"))
    return (install, "cloud: {login: azure}", f"variables: {{{variables}}}")


def _environments() -> dict[str, str]:
    """The only branch that jobs in each environment may be of."""
    return {
        job.environment: branch
        for each in PIPELINES.values()
        for job in each.jobs
        for branch in each.branches
        if job.environment
    }


def _place(path: str) -> Step:
    return Step(
        "where flows are served, for all jobs",
        "Variables of the repository, which jobs without an environment see, too. None of them is a secret.",
        tuple(Command(("gh", "variable", "set", each, "--repo", path), given=value) for each, value in _IDS.items()),
    )


def _repository(path: str) -> Step:
    return Step(
        "the repository and its branches",
        "development is what pull requests go to; main is what serves in production.",
        (
            Command(("gh", "repo", "create", path, "--private"), unless=("gh", "repo", "view", path)),
            Command(
                ("git", "remote", "add", "origin", f"https://github.com/{path}.git"),
                unless=("git", "remote", "get-url", "origin"),
            ),
            *(Command(("git", "push", "--quiet", "origin", f"HEAD:refs/heads/{each}")) for each in BRANCHES),
            Command(("git", "fetch", "--quiet", "origin")),
            Command(("gh", "repo", "edit", path, "--default-branch", BRANCHES[1])),
        ),
    )


def _protected(path: str, branch: str) -> Step:
    rules = {
        "required_status_checks": {"strict": True, "checks": [{"context": _CHECK, "app_id": _ACTIONS}]},
        "enforce_admins": True,
        "required_pull_request_reviews": {"required_approving_review_count": 1, "dismiss_stale_reviews": True},
        "restrictions": None,
        "allow_force_pushes": False,
        "allow_deletions": False,
    }
    words = ("gh", "api", "--method", "PUT", f"repos/{path}/branches/{branch}/protection", "--silent")
    why = f"Nothing gets to {branch} without a review and the check {_CHECK!r}."
    return Step(f"{branch} is protected", why, (Command((*words, "--input", "-"), given=json.dumps(rules)),))


def _environment(path: str, env: str, branch: str, people: tuple[str, ...]) -> Step:
    """The ids of people are numbers, which GitHub is asked for."""
    commands: list[Command | str] = []
    body: list[str | Variable] = [
        '{"deployment_branch_policy": {"protected_branches": false, "custom_branch_policies": true}, "reviewers": ['
    ]
    for number, login in enumerate(people, start=1):
        name = f"reviewer_{number}"
        commands.append(Command(("gh", "api", f"users/{login}", "--jq", ".id"), into=name))
        body += [("" if number == 1 else ", ") + '{"type": "User", "id": ', Variable(name), "}"]
    place = f"repos/{path}/environments/{env}"
    words = ("gh", "api", "--method", "PUT", place, "--silent", "--input", "-")
    given: Word = (*body, "]}")
    policies = f"{place}/deployment-branch-policies"
    known = ("gh", "api", policies, "--jq", f'.branch_policies[] | select(.name == "{branch}") | .id')
    allow = ("gh", "api", "--method", "POST", policies, "--silent", "--raw-field", f"name={branch}")
    return Step(
        f"the environment {env}",
        f"Only jobs of {branch} get into it. Its reviewers let a job begin; who approves the version answers in the\n"
        "ledger, within an hour.",
        (
            *commands,
            Command(words, given=given),
            Command(known, into="policy_id"),
            Command(allow, only_if_empty="policy_id"),
        ),
    )


def _secrets(path: str) -> Step:
    """The key is for jobs behind an environment only: whoever has it can write a yes into the ledger."""
    store, key = STATE_SECRETS
    place = ("--repo", path)
    return Step(
        "shared records, and the key of the ledger",
        "FLOWYARD_STORE is the address of the database that all jobs share. A key is made by openssl rand -base64 32;\n"
        "who approves has it, too. Set both in your shell before.",
        (
            f': "${{{store}:?}}" "${{{key}:?}}"',
            Command(("gh", "secret", "set", store, *place), given=Variable(store)),
            *(
                Command(("gh", "secret", "set", key, *place, "--env", each), given=Variable(key))
                for each in _environments()
            ),
        ),
    )


def _deploy(path: str) -> Step:
    return Step(
        "the first deployment",
        "Merged, it is registered, asked about and deployed to dev; a pull request from release/* to main promotes it.",
        (
            Command(("gh", "pr", "checks", "feature/first", "--repo", path, "--watch")),
            Command(("gh", "pr", "merge", "feature/first", "--repo", path, "--merge")),
            Command(("gh", "run", "list", "--repo", path, "--branch", BRANCHES[1])),
        ),
    )

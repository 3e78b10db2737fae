"""Setting up on GitHub."""

from __future__ import annotations

import json

from flowyard.azure.setup import GitHub, Step, setup_steps
from flowyard.azure.setup.words import Command, Variable, Word
from flowyard.pipelines.setup.repository import BRANCHES, CiOrder, azure_order, files_step, first_change_step
from flowyard.pipelines.stages import PIPELINES

__all__ = ["github_steps"]

_CHECK = "flowyard result"
"""The one check that a pull request has to pass, however many use cases it touches."""


def github_steps(order: CiOrder) -> list[Step]:
    """All steps, in the order in which one needs the other."""
    assert isinstance(order.ci, GitHub)
    path = order.ci.path
    azure = azure_order(order)
    login = "azure" if azure else "none"
    steps = [
        files_step("github", (f"cloud: {{login: {login}}}",)),
        _repository(path),
        *(_protected(path, each) for each in BRANCHES),
    ]
    steps += setup_steps(azure) if azure else []
    steps += [_environment(path, env, order.people) for env in _environments()]
    steps += [_secrets(path)]
    create = ("gh", "pr", "create", "--repo", path, "--base", BRANCHES[1], "--head", "feature/first", "--fill")
    return [*steps, first_change_step(create), _deploy(path)]


def _environments() -> list[str]:
    return [job.environment for each in PIPELINES.values() for job in each.jobs if job.environment]


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
        "required_status_checks": {"strict": True, "contexts": [_CHECK]},
        "enforce_admins": True,
        "required_pull_request_reviews": {"required_approving_review_count": 1, "dismiss_stale_reviews": True},
        "restrictions": None,
        "allow_force_pushes": False,
        "allow_deletions": False,
    }
    words = ("gh", "api", "--method", "PUT", f"repos/{path}/branches/{branch}/protection", "--silent")
    why = f"Nothing gets to {branch} without a review and the check {_CHECK!r}."
    return Step(f"{branch} is protected", why, (Command((*words, "--input", "-"), given=json.dumps(rules)),))


def _environment(path: str, env: str, people: tuple[str, ...]) -> Step:
    """The ids of people are numbers, which GitHub is asked for."""
    commands: list[Command | str] = []
    body: list[str | Variable] = ['{"deployment_branch_policy": null, "reviewers": [']
    for number, login in enumerate(people, start=1):
        name = f"reviewer_{number}"
        commands.append(Command(("gh", "api", f"users/{login}", "--jq", ".id"), into=name))
        body += [("" if number == 1 else ", ") + '{"type": "User", "id": ', Variable(name), "}"]
    words = ("gh", "api", "--method", "PUT", f"repos/{path}/environments/{env}", "--silent", "--input", "-")
    given: Word = (*body, "]}")
    return Step(
        f"the environment {env}",
        "Its reviewers let a job begin; who approves the version answers in the ledger, within an hour.",
        (*commands, Command(words, given=given)),
    )


def _secrets(path: str) -> Step:
    place = ("--repo", path)
    return Step(
        "shared records, and the key of the ledger",
        "FLOWYARD_STORE is the address of the database that all jobs share; set it in your shell before.",
        (
            f"openssl rand -base64 32 | {Command(('gh', 'secret', 'set', 'FLOWYARD_APPROVAL_KEY', *place)).text()}",
            Command(("gh", "secret", "set", "FLOWYARD_STORE", *place), given=Variable("FLOWYARD_STORE")),
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

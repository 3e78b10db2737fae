"""What the set-up of both CI systems has in common: the order, the settings file, the files, the branches."""

from __future__ import annotations

import re
from dataclasses import dataclass

from flowyard._util.redact import without_password
from flowyard.azure.setup import AzureDevops, EnvironmentOrder, GitHub, SetupOrder, Step
from flowyard.azure.setup.words import Command, Word
from flowyard.errors import UserError
from flowyard.pipelines.generate.logins import logins
from flowyard.pipelines.generate.model import CiSettings

__all__ = ["BRANCHES", "SETUP_HEAD", "CiOrder", "CloudPlace", "azure_order", "files_step", "first_change_step"]

BRANCHES = ("main", "development")

SETUP_HEAD = """\
#!/bin/sh
# Printed by `flowyard setup`. Read it, log in, then run it with sh, in the folder of the repository.
# It holds no secret.
# shellcheck disable=SC2016  # a name with a dollar sign is a name
set -eu
"""
_PERSON = re.compile(r"[A-Za-z0-9][A-Za-z0-9._%+@-]{0,99}")


@dataclass(frozen=True, slots=True)
class CloudPlace:
    """Where in Azure flows are served."""

    subscription: str
    resource_group: str
    workspace: str
    key_vault: str | None = None


@dataclass(frozen=True, slots=True)
class CiOrder:
    """What is set up. ``people`` may approve: logins on GitHub, addresses on Azure DevOps. ``repository`` is the name
    of the repository in an Azure DevOps project. Without ``cloud`` nothing logs in anywhere.

    Raises UserError for a name that is none.
    """

    ci: GitHub | AzureDevops
    people: tuple[str, ...] = ()
    cloud: CloudPlace | None = None
    repository: str = ""

    def __post_init__(self) -> None:
        wrong = [each for each in self.people if not _PERSON.fullmatch(each)]
        if wrong:
            raise UserError(
                f"{without_password(wrong[0])[:60]!r} is nobody's name there.", hint="A login of GitHub, or an address."
            )
        if self.repository and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", self.repository):
            raise UserError(f"{without_password(self.repository)[:60]!r} cannot be the name of a repository.")
        azure_order(self)  # checks the names of the cloud


def azure_order(order: CiOrder) -> SetupOrder | None:
    """What ``flowyard azure setup`` prints for it; None without a cloud."""
    if order.cloud is None:
        return None
    name = order.ci.repo if isinstance(order.ci, GitHub) else order.ci.project
    place = order.cloud
    return SetupOrder(
        name,
        place.subscription,
        place.resource_group,
        place.workspace,
        _github_logins() if isinstance(order.ci, GitHub) else _connections(),
        order.ci,
        place.key_vault,
    )


def _github_logins() -> tuple[EnvironmentOrder, ...]:
    """One application for each kind of job that logs in, with exactly the tokens that these jobs have."""
    settings = CiSettings()
    listed = logins(settings.branches, settings.environments)
    return tuple(
        EnvironmentOrder(name, subjects=subjects, deploys=name in settings.environments)
        for name, subjects in listed.items()
    )


def _connections() -> tuple[EnvironmentOrder, ...]:
    """On Azure DevOps a service connection for each pipeline; a pull request deploys nothing."""
    return tuple(EnvironmentOrder(each, deploys=each != "pr") for each in ("pr", "dev", "prod"))


def files_step(system: str, settings: tuple[str, ...]) -> Step:
    """``pipelines.yaml``, unless it is there, and the files of the CI system."""
    write = Command(("printf", r"%s\n", *settings)).text().replace(" \\\n    ", " ")
    return Step(
        "the files of the pipelines",
        "pipelines.yaml says what holds for this repository; the files are written from it.",
        (
            f"test -e pipelines.yaml || {write} > pipelines.yaml",
            Command(
                ("git", "init", "--quiet", "--initial-branch", BRANCHES[0]), unless=("git", "rev-parse", "--git-dir")
            ),
            Command(("flowyard", "pipeline", "generate", system)),
            Command(("git", "add", "--all")),
            Command(
                ("git", "commit", "--quiet", "--message", "Pipelines of flowyard"),
                unless=("git", "diff", "--cached", "--quiet"),
            ),
        ),
    )


def first_change_step(create: tuple[Word, ...]) -> Step:
    """The first pull request."""
    return Step(
        "the first pull request",
        "It touches no use case yet: change one, and only that one is run.",
        (
            Command(("git", "switch", "--quiet", "--create", "feature/first", f"origin/{BRANCHES[1]}")),
            Command(("git", "commit", "--quiet", "--allow-empty", "--message", "The first change")),
            Command(("git", "push", "--quiet", "--set-upstream", "origin", "feature/first")),
            Command(create),
        ),
    )

"""What is to be set up: for which place, which CI system and which environments. Names are checked here."""

from __future__ import annotations

import re
from dataclasses import dataclass

from flowyard._util.redact import without_password
from flowyard.errors import UserError

__all__ = ["AzureDevops", "EnvironmentOrder", "GitHub", "SetupOrder", "parse_devops", "parse_github"]

_GITHUB = re.compile(r"(?P<owner>[A-Za-z0-9](?:[A-Za-z0-9-]{0,38}))/(?P<repo>[A-Za-z0-9._-]{1,100})")
_ORGANIZATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,49}")
_LONGEST = 200
_UNSAFE_BRANCH = re.compile(r"[\s~^:?*\[\\]|\.\.|@\{|^[/-]|/$")


@dataclass(frozen=True, slots=True)
class GitHub:
    """A repository. Jobs in an environment may log in, and with ``branches`` also jobs on those branches.

    ``is_generated``: its workflows are those that flowyard generates, which read ids from variables of the repository.
    """

    owner: str
    repo: str
    branches: tuple[str, ...] = ()
    is_generated: bool = False

    @property
    def path(self) -> str:
        return f"{self.owner}/{self.repo}"


@dataclass(frozen=True, slots=True)
class AzureDevops:
    """A project of an organization."""

    organization: str
    project: str

    @property
    def url(self) -> str:
        return f"https://dev.azure.com/{self.organization}"


@dataclass(frozen=True, slots=True)
class EnvironmentOrder:
    """One environment. ``group`` and ``registry`` are the web app's, where it is one; ``vault`` is read by its flow.

    ``identity`` is the name or the resource id of the served flow's identity; without one, it is named for it.
    ``subjects`` are all that GitHub's tokens may say, without the repository; nothing listed means a job in this
    environment. Without ``deploys`` connections can be read, and nothing else.
    """

    name: str
    target: str = "azure-ml"
    connections: tuple[str, ...] = ()
    group: str | None = None
    registry: str | None = None
    vault: str | None = None
    identity: str | None = None
    subjects: tuple[str, ...] = ()
    deploys: bool = True


@dataclass(frozen=True, slots=True)
class SetupOrder:
    """All of it. ``project`` is what the names of what is made begin with. ``key_vault`` holds connections' secrets.

    Without a CI system an application gets a secret, which goes into the key vault or a file. Raises UserError for a
    name that could be taken for an option, a file or another command.
    """

    project: str
    subscription: str
    resource_group: str
    workspace: str
    environments: tuple[EnvironmentOrder, ...]
    ci: GitHub | AzureDevops | None = None
    key_vault: str | None = None

    def __post_init__(self) -> None:
        for what, name in self._names():
            _require_name(what, name)
        for each in self.ci.branches if isinstance(self.ci, GitHub) else ():
            if _UNSAFE_BRANCH.search(each):
                raise UserError(f"{each!r} cannot be the name of a branch.")
        for environment in self.environments:
            if environment.target == "azure-webapp" and environment.registry is None:
                raise UserError(
                    f"The environment {environment.name!r} names no container registry.",
                    hint="options: {registry: NAME}",
                )
            if isinstance(self.ci, GitHub) and ":" in environment.name:
                raise UserError(f"The environment {environment.name!r} cannot have ':' for GitHub.")

    def _names(self) -> list[tuple[str, str]]:
        found = [
            ("project", self.project),
            ("subscription", self.subscription),
            ("resource group", self.resource_group),
            *([("workspace", self.workspace)] if self.workspace else []),
            *([("key vault", self.key_vault)] if self.key_vault is not None else []),
        ]
        if isinstance(self.ci, AzureDevops):
            found.append(("Azure DevOps project", self.ci.project))
        if isinstance(self.ci, GitHub):
            found += [("branch", each) for each in self.ci.branches]
        for each in self.environments:
            found += [("environment", each.name), *(("connection", name) for name in each.connections)]
            optional = (
                ("resource group", each.group),
                ("registry", each.registry),
                ("key vault", each.vault),
                ("identity", each.identity),
            )
            found += [(what, name) for what, name in optional if name is not None]
        return found


def _require_name(what: str, name: str) -> None:
    """``az`` takes a word with ``@`` first, or after ``=``, for a file, and one with ``-`` first for an option."""
    if not name or len(name) > _LONGEST or name.startswith(("-", "@")) or "=@" in name or not name.isprintable():
        raise UserError(
            f"{without_password(name)[:60]!r} cannot be the name of a {what}.",
            hint=f"A name has 1 to {_LONGEST} printable characters, begins with neither '-' nor '@', and has no '=@'.",
        )


def parse_github(text: str, branches: tuple[str, ...] = ()) -> GitHub:
    """``OWNER/REPO``. Raises UserError."""
    found = _GITHUB.fullmatch(text)
    if not found or found["repo"] in (".", ".."):
        raise UserError(f"{without_password(text)[:60]!r} is no repository of GitHub.", hint="Name it as OWNER/REPO.")
    return GitHub(found["owner"], found["repo"], branches)


def parse_devops(text: str) -> AzureDevops:
    """``ORG/PROJECT``. Raises UserError."""
    organization, slash, project = text.partition("/")
    if not slash or not _ORGANIZATION.fullmatch(organization) or not project or "/" in project:
        raise UserError(
            f"{without_password(text)[:60]!r} is no project of Azure DevOps.", hint="--azure-devops ORG/PROJECT"
        )
    return AzureDevops(organization, project)

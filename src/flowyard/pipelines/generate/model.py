"""What generators of CI files work on and make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import PurePosixPath
from typing import Any, Literal

from flowyard import __version__
from flowyard.pipelines.stages import HOME_FOLDER

__all__ = ["APPROVAL_KEY", "STATE_SECRETS", "Branches", "CiFile", "CiSettings", "Cloud", "Install"]

APPROVAL_KEY = "FLOWYARD_APPROVAL_KEY"
STATE_SECRETS = ("FLOWYARD_STORE", APPROVAL_KEY)
"""Secrets by which jobs share records, registry and ledger, and by which the ledger is sealed.

Where there are none, the variables are empty, which is as if they were not set.
"""


@dataclass(frozen=True, slots=True)
class CiFile:
    """A file that is written, below the repository's root; ``text`` ends with a line break and has no marker line."""

    path: PurePosixPath
    text: str


@dataclass(frozen=True, slots=True)
class Branches:
    """What people call the branches; ``release`` is what names of release branches begin with."""

    development: str = "development"
    release: str = "release/"
    main: str = "main"

    def named(self, branch: str) -> str:
        """The repository's name of a branch that a pipeline names (``development`` or ``main``)."""
        return {"development": self.development, "main": self.main}[branch]


@dataclass(frozen=True, slots=True)
class Install:
    """How jobs get flowyard: a version with extras, or a file of requirements in which everything has its hash."""

    version: str = __version__
    extras: tuple[str, ...] = ()
    requirements: str | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """What follows ``python -m pip install``, one word each; all of them are plain."""
        if self.requirements is not None:
            return ("--require-hashes", "--requirement", self.requirements)
        extras = f"[{','.join(self.extras)}]" if self.extras else ""
        return (f"flowyard{extras}=={self.version}",)


@dataclass(frozen=True, slots=True)
class Cloud:
    """How jobs log in: not at all, or to Azure by federation, with the names of the variables that say as whom.

    ``client`` is how the names of variables for the ids of applications begin: ``_PR``, ``_CI``, ``_DEV`` or ``_PROD``
    follows it.
    ``service_connection`` is what the logins in Azure DevOps are called: ``-pr``, ``-dev`` or ``-prod`` follows it.
    """

    login: Literal["none", "azure"] = "none"
    client: str = "AZURE_CLIENT_ID"
    tenant: str = "AZURE_TENANT_ID"
    subscription: str = "AZURE_SUBSCRIPTION_ID"
    service_connection: str = "flowyard-azure"


@dataclass(frozen=True, slots=True)
class CiSettings:
    """What holds for all CI files of a repository; each name in it was checked to be plain when it was read.

    ``use_cases`` is the folder below which use cases are looked for (``.`` is all). ``runners`` are labels of the
    machines. ``environments`` are the CI system's names of ``dev`` and ``prod``. ``notify`` is the mail address that
    the CI system itself tells, where it can. ``secrets`` and ``variables`` are names by pipeline environment (``pr``,
    ``dev``, ``prod``): each becomes an environment variable of the stages. ``home`` is handed from job to job when it
    is relative; an absolute one is on the machine of the runner and stays there. ``approvers`` are those whom Azure
    DevOps or Jenkins itself lets answer, where the ledger's policy has a say of its own; nobody listed means whom it
    lets by default. ``groups`` are variable groups of Azure DevOps by environment.
    """

    use_cases: str = "."
    branches: Branches = Branches()
    python: str = "3.12"
    install: Install = field(default_factory=Install)
    runners: tuple[str, ...] = ("ubuntu-latest",)
    environments: Mapping[str, str] = field(default_factory=lambda: {"dev": "dev", "prod": "prod"})
    notify: str | None = None
    secrets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    variables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    cloud: Cloud = Cloud()
    home: str = HOME_FOLDER
    approvers: tuple[str, ...] = ()
    groups: Mapping[str, str] = field(default_factory=dict)

    @property
    def hands_over_home(self) -> bool:
        """Whether jobs pass the home folder on, as it is not on a machine of its own."""
        return not self.home.startswith("/")

    def secrets_of(self, env: str) -> tuple[str, ...]:
        """The names of all secrets that stages of an environment get. A pull request gets none of shared state."""
        own = self.secrets.get(env, ())
        state = () if env == "pr" else STATE_SECRETS
        return tuple(dict.fromkeys((*own, *state)))

    def variables_of(self, env: str) -> tuple[str, ...]:
        """The names of all variables, which are no secrets, that stages of an environment get."""
        return self.variables.get(env, ())

    def as_data(self) -> Mapping[str, Any]:
        """Plain values, for a digest."""
        plain = {
            name: getattr(self, name) for name in ("use_cases", "python", "runners", "notify", "home", "approvers")
        }
        named = {name: dict(getattr(self, name)) for name in ("environments", "secrets", "variables", "groups")}
        parts = {name: asdict(getattr(self, name)) for name in ("branches", "install", "cloud")}
        return {**plain, **named, **parts}

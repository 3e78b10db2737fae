"""``pipelines.yaml`` at the repository's root, strictly: every problem at once, each with its line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, StringConstraints

from flowyard import __version__
from flowyard._util.strict_yaml import STRICT, parse_strictly
from flowyard._util.yamlfile import YamlFile, read_yaml
from flowyard.errors import Problem
from flowyard.pipelines.generate.model import Branches, CiSettings, Cloud, Install
from flowyard.pipelines.stages import HOME_FOLDER

__all__ = ["SETTINGS_FILE", "read_ci_settings"]

SETTINGS_FILE = "pipelines.yaml"

_SAFE_PATH = r"^(?:\.|[A-Za-z0-9._][A-Za-z0-9._-]*(?:/[A-Za-z0-9._][A-Za-z0-9._-]*)*)$"
_Folder = Annotated[str, StringConstraints(pattern=_SAFE_PATH, max_length=200)]
_Home = Annotated[
    str, StringConstraints(pattern=r"^(?:\.flowyard|(?:/[A-Za-z0-9._][A-Za-z0-9._-]*)+)$", max_length=200)
]
_Branch = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,99}$")]
_Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
_Named = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9 ._()-]{0,98}[A-Za-z0-9._()-])?$")]
_Variable = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")]
_Version = Annotated[str, StringConstraints(pattern=r"^[0-9]+(?:\.[0-9A-Za-z]+)*(?:\+[0-9A-Za-z.]+)?$", max_length=50)]
_Address = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*$")]
_Approver = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._%+@-]{0,99}$")]
_Python = Annotated[str, StringConstraints(pattern=r"^3\.(?:1[1-9]|[2-9][0-9])(?:\.[0-9]+)?$")]

_RESERVED = re.compile(r"(?:GITHUB|RUNNER|ACTIONS|SYSTEM|BUILD|AGENT|PATH|HOME|LD|PYTHON|BASH|IFS|ENV)(?:_|$)")
"""Variables that steer the CI system, the shell or Python itself."""

_SAYS = {"string_pattern_mismatch": "{input!a} has characters that do not belong there"}


class _Strict(BaseModel):
    model_config = STRICT


class _Branches(_Strict):
    development: _Branch = "development"
    release: _Branch = "release/"
    main: _Branch = "main"


class _Install(_Strict):
    version: _Version | None = None
    extras: list[_Word] = []
    requirements: _Folder | None = None


class _Environments(_Strict):
    dev: _Named = "dev"
    prod: _Named = "prod"


class _Names(_Strict):
    pr: list[_Variable] = []
    dev: list[_Variable] = []
    prod: list[_Variable] = []


class _Groups(_Strict):
    pr: _Named | None = None
    dev: _Named | None = None
    prod: _Named | None = None


class _Cloud(_Strict):
    login: Literal["none", "azure"] = "none"
    client: _Variable = "AZURE_CLIENT_ID"
    tenant: _Variable = "AZURE_TENANT_ID"
    subscription: _Variable = "AZURE_SUBSCRIPTION_ID"
    service_connection: _Named = "flowyard-azure"


class _File(_Strict):
    use_cases: _Folder = "."
    branches: _Branches = _Branches()
    python: _Python = "3.12"
    install: _Install = _Install()
    runners: list[_Named] = ["ubuntu-latest"]
    environments: _Environments = _Environments()
    notify: _Address | None = None
    secrets: _Names = _Names()
    variables: _Names = _Names()
    cloud: _Cloud = _Cloud()
    home: _Home = HOME_FOLDER
    approvers: list[_Approver] = []
    groups: _Groups = _Groups()


def read_ci_settings(root: Path) -> CiSettings:
    """The settings of a repository; without the file, all of them are the defaults.

    Raises UserError with every problem.
    """
    path = root / SETTINGS_FILE
    if not path.exists():
        return CiSettings()
    file = read_yaml(path)
    return _made(parse_strictly(_File, file, lambda body: _more(body, file), says=_SAYS))


def _made(body: _File) -> CiSettings:
    install = body.install
    return CiSettings(
        use_cases=body.use_cases,
        branches=Branches(**body.branches.model_dump()),
        python=body.python,
        install=Install(install.version or __version__, tuple(install.extras), install.requirements),
        runners=tuple(body.runners),
        environments=body.environments.model_dump(),
        notify=body.notify,
        secrets={env: tuple(names) for env, names in body.secrets.model_dump().items()},
        variables={env: tuple(names) for env, names in body.variables.model_dump().items()},
        cloud=Cloud(**body.cloud.model_dump()),
        home=body.home,
        approvers=tuple(body.approvers),
        groups={env: name for env, name in body.groups.model_dump().items() if name is not None},
    )


def _more(body: _File, file: YamlFile) -> Iterator[Problem]:
    """What is wrong although each value by itself is right."""
    if not body.runners:
        yield Problem("A job needs at least one label of a runner.", file.where("runners"), "runners: [ubuntu-latest]")
    if body.install.requirements and (body.install.version or body.install.extras):
        where = file.where("install", "requirements")
        yield Problem("Requirements already say which flowyard it is.", where, "Leave out 'version' and 'extras'.")
    for place in (body.use_cases, body.home, body.install.requirements):
        if place is not None and ".." in place.split("/"):
            yield Problem(f"{place!r} leads out of the repository.", file.where())
    yield from _branch_problems(body, file)
    yield from _variable_problems(body, file)


def _branch_problems(body: _File, file: YamlFile) -> Iterator[Problem]:
    names = list(body.branches.model_dump().values())
    if len(set(names)) != len(names):
        yield Problem("Each branch has a name of its own.", file.where("branches"))
    for name in names:
        if ".." in name or "//" in name or name.endswith((".", ".lock")):
            yield Problem(f"{name!r} cannot be the name of a branch.", file.where("branches"))


def _variable_problems(body: _File, file: YamlFile) -> Iterator[Problem]:
    for key in ("secrets", "variables"):
        for env, listed in getattr(body, key).model_dump().items():
            for name in listed:
                if _RESERVED.match(name.upper()):
                    yield Problem(f"{name} is a variable of the CI system or the shell.", file.where(key, env))
    secrets, variables = ({name for listed in each for name in listed} for each in _all_names(body))
    for name in sorted(secrets & variables):
        yield Problem(f"{name} is a secret and a variable.", file.where("variables"), "Name it once.")


def _all_names(body: _File) -> tuple[list[list[str]], list[list[str]]]:
    """The secrets and the variables of all environments."""
    return list(body.secrets.model_dump().values()), list(body.variables.model_dump().values())

"""Steps that several jobs have. A value of an expression goes to a script by its environment, never into its text."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from flowyard.pipelines.generate.github.actions import action
from flowyard.pipelines.generate.model import CiSettings

__all__ = ["CALLED_FILE", "Step", "checkout", "expression", "home_variables", "prepare", "runs_on"]

Step = Mapping[str, Any]

CALLED_FILE = "flowyard-stages.yml"
"""The workflow that all others call; the only one that runs stages."""


def expression(inner: str) -> str:
    """``${{ … }}``"""
    return f"${{{{ {inner} }}}}"


def runs_on(settings: CiSettings) -> str | list[str]:
    """The labels of the machine."""
    return settings.runners[0] if len(settings.runners) == 1 else list(settings.runners)


def checkout(*, ref: str | None = None, history: bool = False) -> Step:
    """The files, without the token that fetched them staying behind."""
    given: dict[str, Any] = {"persist-credentials": False}
    if history:
        given["fetch-depth"] = 0
    if ref is not None:
        given["ref"] = ref
    return {"name": "Check out the files", "uses": action("actions/checkout"), "with": given}


def prepare(settings: CiSettings, *, cache: str | None = "pip") -> list[Step]:
    """Python, and flowyard.

    ``cache``: what pip downloaded before is used again, where that is no way in. Whoever filled the cache has their
    code installed, so jobs that deploy or write to pull requests have none.
    """
    install = settings.install
    given: dict[str, Any] = {"python-version": settings.python}
    if cache is not None:
        depends_on = install.requirements or f".github/workflows/{CALLED_FILE}"  # which has flowyard's version in it
        given |= {"cache": cache, "cache-dependency-path": depends_on}
    words = " ".join(shlex.quote(word) for word in install.words)
    return [
        {"name": "Set up Python", "uses": action("actions/setup-python"), "with": given},
        {
            "name": "Install flowyard",
            "run": f"python -m pip install --disable-pip-version-check {words}",
        },
    ]


def home_variables(settings: CiSettings) -> dict[str, str]:
    """Where records are, when that is not the folder that jobs hand over."""
    return {} if settings.hands_over_home else {"FLOWYARD_HOME": settings.home}

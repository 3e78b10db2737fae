"""What would be deployed and where, from the words of a command."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

import click

from flowyard.errors import UserError

__all__ = ["require_digest", "subject_options"]

F = TypeVar("F", bound=Callable[..., Any])

_DIGEST = re.compile(r"[0-9a-f]{64}")


def subject_options(command: F) -> F:
    """``NAME:VERSION``, ``--env``, ``--target`` and ``--digest``."""
    env = click.option("--env", required=True, metavar="NAME", help="The environment, such as dev or prod.")
    target = click.option("--target", required=True, metavar="NAME", help="Where in it, such as an endpoint's name.")
    digest = click.option("--digest", metavar="HEX", help="The content's digest; needed when no registry here has it.")
    return click.argument("label", metavar="NAME:VERSION")(env(target(digest(command))))


def require_digest(digest: str | None) -> str | None:
    """The digest, if one was given. Raises UserError for what is none."""
    if digest is not None and not _DIGEST.fullmatch(digest):
        raise UserError(f"{digest!r} is no digest.", hint="A digest is 64 digits of 0-9 and a-f.")
    return digest

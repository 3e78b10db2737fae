"""What would be deployed and where, from the words of a command."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

import click

from flowyard.approval.model import ApprovalSubject
from flowyard.errors import UserError

__all__ = ["find_subject", "subject_options"]

F = TypeVar("F", bound=Callable[..., Any])

_LABEL = re.compile(r"([^:@]+):([1-9][0-9]{0,8})")
_DIGEST = re.compile(r"[0-9a-f]{64}")


def subject_options(command: F) -> F:
    """``NAME:VERSION``, ``--env``, ``--target`` and ``--digest``."""
    env = click.option("--env", required=True, metavar="NAME", help="The environment, such as dev or prod.")
    target = click.option("--target", required=True, metavar="NAME", help="Where in it, such as an endpoint's name.")
    digest = click.option("--digest", metavar="HEX", help="The version's digest, for one that is in no registry here.")
    return click.argument("label", metavar="NAME:VERSION")(env(target(digest(command))))


def find_subject(label: str, env: str, target: str, digest: str | None) -> ApprovalSubject:
    """The subject of a label. Raises UserError for a malformed one."""
    found = _LABEL.fullmatch(label)
    if digest is None or not found:
        raise UserError(f"{label!r} is no version.", hint="Write NAME:VERSION and --digest HEX.")
    if not _DIGEST.fullmatch(digest):
        raise UserError(f"{digest!r} is no digest.", hint="A digest is 64 digits of 0-9 and a-f.")
    return ApprovalSubject(found[1], int(found[2]), digest, env, target)

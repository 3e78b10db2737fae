"""Telling people of a request, from a command."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from flowyard.app import open_app
from flowyard.approval.announce import Announcement, announce
from flowyard.approval.desk import ApprovalDesk
from flowyard.approval.link_place import LinkPlace, link_place
from flowyard.approval.model import ApprovalRequest
from flowyard.approval.open import approval_key
from flowyard.cli.shared.output import print_warnings
from flowyard.errors import FlowyardError
from flowyard.settings import Settings

__all__ = ["tell_people"]


def tell_people(settings: Settings, desk: ApprovalDesk, request: ApprovalRequest) -> None:
    """Notify whom the policy names. What fails is a warning: the request stands, and can be answered all the same."""
    if not request.policy.notify:
        return
    try:
        environ = open_app(settings, Path.cwd()).environ
        told = announce(desk, request, environ, _place(settings, environ))
    except FlowyardError as error:
        told = [Announcement("anyone", error.message, error.hint)]
    print_warnings(_warning(f"Not told by {each.target}: {each.problem}", each.hint) for each in told if each.problem)


def _place(settings: Settings, environ: Mapping[str, str]) -> LinkPlace | None:
    """Where links lead; None, with a warning, when that is not a place for links."""
    try:
        return link_place(environ, approval_key(settings))
    except FlowyardError as error:
        print_warnings([_warning(f"Messages have no links: {error.message}", error.hint)])
        return None


def _warning(problem: str, hint: str | None) -> str:
    return f"{problem}\n  {hint}" if hint else problem

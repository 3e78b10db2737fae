"""Telling people of a request, from a command."""

from __future__ import annotations

from pathlib import Path

from flowyard.app import open_app
from flowyard.approval.announce import Announcement, announce
from flowyard.approval.desk import ApprovalDesk
from flowyard.approval.link_place import link_place
from flowyard.approval.model import ApprovalRequest
from flowyard.approval.open import approval_key
from flowyard.cli.output import print_warnings
from flowyard.settings import Settings

__all__ = ["tell_people"]


def tell_people(settings: Settings, desk: ApprovalDesk, request: ApprovalRequest) -> None:
    """Notify whom the policy names. What fails is a warning: the request stands, and can be answered all the same."""
    if not request.policy.notify:
        return
    environ = open_app(settings, Path.cwd()).environ
    told = announce(desk, request, environ, link_place(environ, approval_key(settings)))
    print_warnings(_warning(each) for each in told if each.problem)


def _warning(failed: Announcement) -> str:
    return f"Not told by {failed.target}: {failed.problem}" + (f"\n  {failed.hint}" if failed.hint else "")

"""Telling people that they are asked. Whether that works changes nothing about the request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from flowyard._util.aio import run_blocking
from flowyard.abc import Notifier
from flowyard.approval.links import LinkSigner, Purpose
from flowyard.approval.model import ApprovalRequest
from flowyard.approval.names import is_approver, same_person
from flowyard.approval.notice import ANSWER, LOOK, request_notice
from flowyard.errors import FlowyardError
from flowyard.notify.model import Link
from flowyard.notify.open import open_notifier

__all__ = ["Announcement", "LinkPlace", "announce", "link_claimant"]


@dataclass(frozen=True, slots=True)
class Announcement:
    """One target that was told, or why not: a sentence and the next step, without secrets."""

    target: str
    problem: str | None = None
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class LinkPlace:
    """Where the approval's page can be reached, and what signs links to it."""

    url: str
    signer: LinkSigner

    def link(self, request: ApprovalRequest, approver: str, purpose: Purpose) -> Link:
        """A link for one person, or for whoever says their name when ``approver`` is empty."""
        token = self.signer.sign(request, approver, purpose)
        return Link(ANSWER if purpose == "answer" else LOOK, f"{self.url.rstrip('/')}/answer/{token}")


def announce(
    request: ApprovalRequest,
    environ: Mapping[str, str],
    place: LinkPlace | None,
    open_target: Callable[[str, Mapping[str, str]], Notifier] = open_notifier,
) -> Sequence[Announcement]:
    """Tell everyone whom the request's policy names, at the same time; what fails is told and raises nothing.

    Each person gets a link of their own; without a ``place`` there are no links.
    """
    targets = request.policy.notify
    return run_blocking(_announce_all(request, targets, environ, place, open_target)) if targets else ()


async def _announce_all(
    request: ApprovalRequest,
    targets: Sequence[str],
    environ: Mapping[str, str],
    place: LinkPlace | None,
    open_target: Callable[[str, Mapping[str, str]], Notifier],
) -> Sequence[Announcement]:
    async def tell(target: str) -> Announcement:
        try:
            notifier = open_target(target, environ)
            links = [_link(request, notifier.person, place)] if place else []
            await notifier.send(request_notice(request, links))
        except FlowyardError as error:
            return Announcement(target, error.message, error.hint)
        return Announcement(target)

    return await asyncio.gather(*map(tell, targets))


def _link(request: ApprovalRequest, person: str | None, place: LinkPlace) -> Link:
    approver = link_claimant(request, person)
    return place.link(request, "", "look") if approver is None else place.link(request, approver, "answer")


def link_claimant(request: ApprovalRequest, person: str | None) -> str | None:
    """In whose name a link for that person answers; None when it may only be looked at with.

    In a channel nobody is known, so a link answers only where anyone may, once, and says ``""``: whoever it is.
    """
    policy = request.policy
    if person is None:
        is_anyone = not policy.approvers and policy.self_approval and policy.approvals == 1
        return "" if is_anyone else None
    if not is_approver(person, policy.approvers):
        return None
    if not policy.self_approval and same_person(person, request.requested_by):
        return None
    return next((each for each in policy.approvers if same_person(each, person)), person)

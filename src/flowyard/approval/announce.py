"""Telling people that they are asked. Whether that works changes nothing about the request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from flowyard._util.aio import run_blocking
from flowyard.abc import Notifier
from flowyard.approval.desk import ApprovalDesk
from flowyard.approval.link_place import LinkPlace
from flowyard.approval.model import ApprovalRequest
from flowyard.approval.names import find_approver, same_person
from flowyard.approval.notice import request_notice
from flowyard.errors import FlowyardError
from flowyard.notify.model import Link
from flowyard.notify.open import check_target, open_notifier

__all__ = ["Announcement", "announce", "link_claimant"]


@dataclass(frozen=True, slots=True)
class Announcement:
    """One target that was told, or why not: a sentence and the next step, without secrets."""

    target: str
    problem: str | None = None
    hint: str | None = None


def announce(
    desk: ApprovalDesk,
    request: ApprovalRequest,
    environ: Mapping[str, str],
    place: LinkPlace | None,
    open_target: Callable[[str, Mapping[str, str]], Notifier] = open_notifier,
) -> Sequence[Announcement]:
    """Tell everyone whom the request's policy names, at the same time, and write down in the ledger how that went.

    What fails is in the result and raises nothing; only a ledger that cannot be written raises StoreError. Each person
    gets a link of their own; without a ``place`` there are no links.
    """
    if not request.policy.notify:
        return ()
    told = run_blocking(_announce_all(request, environ, place, open_target))
    desk.note_notices(request.id, [asdict(each) for each in told])
    return told


async def _announce_all(
    request: ApprovalRequest,
    environ: Mapping[str, str],
    place: LinkPlace | None,
    open_target: Callable[[str, Mapping[str, str]], Notifier],
) -> Sequence[Announcement]:
    async def tell(target: str) -> Announcement:
        shown = target.partition(":")[0]  # the rest of a malformed one may be a URL, which is a secret
        try:
            check_target(target)
            shown = target
            notifier = open_target(target, environ)
            links = [_link(request, notifier.person, place)] if place else []
            await notifier.send(request_notice(request, links))
        except FlowyardError as error:
            return Announcement(shown, error.message, error.hint)
        except Exception as error:  # the request is written down already; what the error says may be a secret
            return Announcement(shown, f"This is a bug of flowyard: {type(error).__name__}.")
        return Announcement(target)

    return await asyncio.gather(*map(tell, request.policy.notify))


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
    named = find_approver(person, policy.approvers) if policy.approvers else person
    if named is None:
        return None
    if not policy.self_approval and same_person(person, request.requested_by):
        return None
    return named if "@" in named else person  # the more of a name is known, the better it can be told from others

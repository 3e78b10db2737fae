"""``flowyard approval wait`` and ``require``"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta

import click
from rich.console import Console
from rich.status import Status
from rich.text import Text

from flowyard.approval.desk import ApprovalDesk
from flowyard.approval.lineage import find_subject
from flowyard.approval.model import Approval
from flowyard.approval.open import open_desk
from flowyard.cli.approval.policy import policy_at
from flowyard.cli.approval.subject import require_digest, subject_options
from flowyard.cli.approval.view import answer_code, print_approval
from flowyard.cli.shared.options import read_settings, store_options
from flowyard.registry.open import open_registry

__all__ = ["require", "wait", "wait_for", "watch"]


@click.command()
@click.argument("id_", metavar="ID")
@click.option("--poll", "poll_s", type=click.FloatRange(0.1, 600), default=2.0, help="Seconds between two looks.")
@store_options
def wait(id_: str, poll_s: float, home: str | None, as_json: bool) -> int:
    """Wait until the request ID is answered or its time is over, which is a no. Exits with 4 for every no.

    It can be stopped and started again, here or elsewhere: the deadline stays the same.
    """
    return wait_for(open_desk(read_settings(home)), id_, poll_s, as_json=as_json)


@click.command()
@subject_options
@click.option(
    "--policy",
    "policy_path",
    metavar="PATH",
    help="The experiment.yaml, or its folder, whose 'approval' the answers have to fulfil, whatever was asked under.",
)
@store_options
def require(
    label: str,
    env: str,
    target: str,
    digest: str | None,
    policy_path: str | None,
    home: str | None,
    as_json: bool,
) -> None:
    """Exit with 0 only if NAME:VERSION may be deployed to the target now; else with 4.

    Whoever asks chooses the policy of a request: with --policy, whoever deploys does not depend on that.
    """
    settings, content = read_settings(home), require_digest(digest)
    registry = open_registry(settings)
    subject = find_subject(registry, label, env, target, content)
    policy = None if policy_path is None else policy_at(policy_path, env, registry)
    print_approval(open_desk(settings).require_live(subject, content, policy), as_json=as_json)


def wait_for(desk: ApprovalDesk, id_: str, poll_s: float, *, as_json: bool) -> int:
    """Wait and print what came of it; returns the exit code."""
    approval = watch(desk, id_, poll_s)
    print_approval(approval, as_json=as_json)
    return answer_code(approval)


def watch(desk: ApprovalDesk, id_: str, poll_s: float = 2.0) -> Approval:
    """Wait with a countdown on stderr; Ctrl-C leaves the request as it is."""
    try:
        with _countdown(id_) as on_look:
            return desk.wait(id_, poll_s, on_look=on_look)
    except KeyboardInterrupt:
        click.echo(f"It is still pending. Go on waiting: flowyard approval wait {id_}", err=True)
        raise


def _countdown(id_: str) -> AbstractContextManager[Callable[[Approval, timedelta], None] | None]:
    if sys.stderr.isatty():
        return _Countdown()
    click.echo(f"Waiting for the answers to {id_}.", err=True)
    return nullcontext(None)


class _Countdown(AbstractContextManager[Callable[[Approval, timedelta], None]]):
    """A line on the terminal that says how much time is left."""

    def __init__(self) -> None:
        self._status = Status("", console=Console(stderr=True))

    def __enter__(self) -> Callable[[Approval, timedelta], None]:
        self._status.start()
        return self._look

    def __exit__(self, *_: object) -> None:
        self._status.stop()

    def _look(self, approval: Approval, left: timedelta) -> None:
        request = approval.request
        seconds = max(int(left.total_seconds()), 0)
        there = f"{len(approval.answers)} of {request.policy.approvals} approvals"
        text = f"{request.subject.label}: {there}, {seconds // 60}:{seconds % 60:02d} left"
        self._status.update(Text(text))

"""``flowyard approval approve``, ``reject`` and ``record``"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from flowyard._util.person import person_name
from flowyard.approval.model import Decision, Via
from flowyard.approval.open import open_desk
from flowyard.cli.approval.view import answer_code, print_approval
from flowyard.cli.shared.options import pairs, read_settings, store_options
from flowyard.errors import Conflict, ExitCode

__all__ = ["approve", "record", "reject"]

_PIPELINES = ["github", "azure-devops", "jenkins"]

F = TypeVar("F", bound=Callable[..., Any])


def _answer_options(command: F) -> F:
    reason = click.option("--reason", required=True, help="Why, for everyone who looks later.")
    by = click.option("--by", metavar="NAME", help="Who says so (default: your account and the e-mail that git knows).")
    return click.argument("id_", metavar="ID")(reason(by(store_options(command))))


@click.command()
@_answer_options
def approve(id_: str, reason: str, by: str | None, home: str | None, as_json: bool) -> int:
    """Say yes to the request ID. Exits with 4 when it is too late."""
    return _answer(id_, by, "approve", reason, home, as_json=as_json)


@click.command()
@_answer_options
def reject(id_: str, reason: str, by: str | None, home: str | None, as_json: bool) -> int:
    """Say no to the request ID, or take back a yes as long as it holds."""
    return _answer(id_, by, "reject", reason, home, as_json=as_json)


@click.command()
@click.argument("id_", metavar="ID")
@click.option("--via", required=True, type=click.Choice(_PIPELINES), help="Where it was made.")
@click.option("--by", required=True, metavar="NAME", help="Who made it.")
@click.option("--decision", required=True, type=click.Choice(["approve", "reject"]), help="What it was.")
@click.option("--reason", default="", help="Why.")
@click.option("--evidence", multiple=True, metavar="k=v", help="Where to look it up: run=URL; repeat it.")
@store_options
def record(
    id_: str,
    via: Via,
    by: str,
    decision: Decision,
    reason: str,
    evidence: tuple[str, ...],
    home: str | None,
    as_json: bool,
) -> int:
    """Write down the decision on the request ID that was made in a pipeline.

    The rules are the same as for answers given here: approvers, their number, no self-approval, and the deadline.
    """
    found = pairs(evidence, "--evidence")
    return _answer(id_, by, decision, reason, home, as_json=as_json, via=via, evidence=found)


def _answer(
    id_: str,
    by: str | None,
    decision: Decision,
    reason: str,
    home: str | None,
    *,
    as_json: bool,
    via: Via = "cli",
    evidence: Mapping[str, str] | None = None,
) -> int:
    settings = read_settings(home)
    desk = open_desk(settings)
    try:
        approval = desk.answer(id_, by or person_name(settings.environ), decision, reason, via=via, evidence=evidence)
    except Conflict as error:
        if answer_code(desk.get(id_)):
            error.exit_code = ExitCode.NOT_APPROVED
        raise
    print_approval(approval, as_json=as_json)
    return 0

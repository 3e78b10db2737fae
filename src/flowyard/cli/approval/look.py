"""``flowyard approval list``, ``show`` and ``verify``"""

from __future__ import annotations

import click

from flowyard._util.moments import moment_text
from flowyard.approval.chain import Chain
from flowyard.approval.model import ApprovalState
from flowyard.approval.open import open_desk, open_ledger
from flowyard.cli.approval.view import approval_view, print_approval
from flowyard.cli.shared.options import read_settings, store_options
from flowyard.cli.shared.output import print_json
from flowyard.cli.shared.tables import print_table
from flowyard.errors import ExitCode

__all__ = ["list_", "show", "verify"]


@click.command("list")
@click.option("--pending", is_flag=True, help="Only those that wait for an answer.")
@store_options
def list_(pending: bool, home: str | None, as_json: bool) -> None:
    """List what was asked for, newest first, and what came of it."""
    approvals = open_desk(read_settings(home)).list()
    found = [each for each in approvals if not pending or each.state is ApprovalState.PENDING]
    if as_json:
        print_json([approval_view(each) for each in found])
        return
    rows = [
        (
            each.request.id,
            each.request.subject.label,
            each.state.replace("_", " "),
            moment_text(each.request.requested_at),
            each.request.requested_by,
        )
        for each in found
    ]
    print_table(["request", "deploy", "state", "asked", "by"], rows, whole=("request", "state", "asked"))


@click.command()
@click.argument("id_", metavar="ID")
@store_options
def show(id_: str, home: str | None, as_json: bool) -> None:
    """Show the request ID: what is asked, metrics and gates beside what serves now, and what was answered."""
    print_approval(open_desk(read_settings(home)).get(id_), as_json=as_json)


@click.command()
@click.option("--head", metavar="HASH", help="A head that was kept elsewhere: nothing up to it may be missing.")
@store_options
def verify(head: str | None, home: str | None, as_json: bool) -> int:
    """Check every entry of the ledger: that none was edited, removed, moved or put in by others.

    Entries that were taken away from the end are found if this account has seen them, or with --head. Exits with 4
    unless everything was verified.
    """
    ledger = open_ledger(read_settings(home))
    chain = ledger.look()
    problem = ledger.missing(chain) or _problem(chain, head, ledger.key_source)
    if as_json:
        print_json(
            {
                "verified": problem is None,
                "problem": problem,
                "broken_at": chain.broken_at,
                "entries": len(chain.entries),
                "unverified": sorted(chain.unverified),
                "head": chain.head,
            }
        )
    elif problem:
        click.echo(f"Not verified: {problem}", err=True)
    else:
        click.echo(f"Verified: {len(chain.entries)} entries, head {chain.head}")
    return ExitCode.NOT_APPROVED if problem else ExitCode.DONE


def _problem(chain: Chain, head: str | None, key_source: str) -> str | None:
    """What keeps the ledger from being verified, in a sentence."""
    if chain.problem:
        return chain.problem
    if head is not None and not chain.has(head):
        return "The ledger does not have that head: entries at its end were removed, or it is another ledger."
    if chain.unverified:
        first = chain.entries[min(chain.unverified) - 1]
        return (
            f"The chain is whole, but {len(chain.unverified)} of {len(chain.entries)} entries (first {first.seq}) "
            f"were sealed with another key ({first.sealed_by}) than {key_source}: who wrote them is not known here."
        )
    return None

"""``flowyard pipeline answer``"""

from __future__ import annotations

from pathlib import Path

import click

from flowyard.approval.desk import ApprovalDesk
from flowyard.approval.model import Approval, ApprovalState, Decision, Via
from flowyard.approval.open import open_desk
from flowyard.cli.approval_view import answer_code, print_approval
from flowyard.cli.options import pairs, read_settings, store_options
from flowyard.cli.output import print_json
from flowyard.cli.pipeline_options import chosen_use_cases, pipeline_argument
from flowyard.errors import Conflict, ExitCode
from flowyard.pipelines.model import Pipeline
from flowyard.release import ReleaseLog

__all__ = ["answer"]


@click.command()
@pipeline_argument
@click.argument("path", metavar="USECASE")
@click.option(
    "--via", required=True, type=click.Choice(["github", "azure-devops", "jenkins"]), help="Where they said it."
)
@click.option("--by", required=True, metavar="NAME", help="Who said it.")
@click.option("--decision", required=True, type=click.Choice(["approve", "reject"]), help="What was said.")
@click.option("--evidence", multiple=True, metavar="k=v", help="Where to look it up: run=URL; repeat it.")
@store_options
def answer(
    pipeline: Pipeline,
    path: str,
    via: Via,
    by: str,
    decision: Decision,
    evidence: tuple[str, ...],
    home: str | None,
    as_json: bool,
) -> int:
    """Write what people said in a CI system into the ledger, as the answer to what the pipeline asked of USECASE.

    The rules are those of every answer: approvers, their number, no self-approval, the deadline. A name that the rules
    do not let say yes changes nothing: the request waits for those who may. Exits with 4 where the ledger says no, or
    has said so before.
    """
    settings = read_settings(home)
    (use_case,) = chosen_use_cases(pipeline, [str(Path(path))], None)
    asked = _asked(ReleaseLog(settings.home), use_case.name, pipeline.env)
    if asked is None:
        said = f"{use_case.name} asked nobody for {pipeline.env}."
        print_json({"request": None, "said": said}) if as_json else click.echo(said)
        return ExitCode.DONE
    desk = open_desk(settings)
    approval = _answered(desk, asked, by, decision, via, pairs(evidence, "--evidence"))
    print_approval(approval, as_json=as_json)
    if decision == "reject" and approval.state is ApprovalState.REJECTED:
        return ExitCode.DONE
    return answer_code(approval) if approval.state is not ApprovalState.PENDING else ExitCode.DONE


def _asked(log: ReleaseLog, name: str, env: str) -> str | None:
    """The request of the newest release of the use case to the environment that asked."""
    for record in log.list(name):
        if record.env == env and any(step.name == "approval" for step in record.steps):
            request = record.step("approval").result.get("request")
            return str(request) if request else None
    return None


def _answered(
    desk: ApprovalDesk, id_: str, by: str, decision: Decision, via: Via, evidence: dict[str, str]
) -> Approval:
    """What the request has come to. A yes that does not count is told, and leaves the request as it is."""
    try:
        return desk.answer(id_, by, decision, via=via, evidence=evidence)
    except Conflict as error:
        click.echo(f"{error}", err=True)
        return desk.get(id_)

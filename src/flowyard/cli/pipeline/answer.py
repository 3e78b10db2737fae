"""``flowyard pipeline answer``"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from flowyard._util.ci_commands import without_ci_commands
from flowyard._util.printable import printable_text
from flowyard.approval.desk import ApprovalDesk
from flowyard.approval.model import Approval, ApprovalState, Decision, Via
from flowyard.approval.open import open_desk
from flowyard.cli.approval.view import answer_code
from flowyard.cli.pipeline.options import UseCase, chosen_use_cases, pipeline_argument
from flowyard.cli.shared.options import pairs, read_settings, store_options
from flowyard.cli.shared.output import print_json
from flowyard.cli.shared.tables import print_table
from flowyard.errors import Conflict, ExitCode
from flowyard.pipelines.log import PipelineLog
from flowyard.pipelines.model import Pipeline
from flowyard.pipelines.use_cases.inputs import inputs_digest
from flowyard.release import ReleaseLog
from flowyard.settings import Settings

__all__ = ["answer"]


@click.command()
@pipeline_argument
@click.argument("paths", nargs=-1, metavar="[USECASE]...")
@click.option("--changed-since", "since", metavar="REV", help="Only use cases that the change since then touches.")
@click.option(
    "--via", required=True, type=click.Choice(["github", "azure-devops", "jenkins"]), help="Where they said it."
)
@click.option("--by", required=True, metavar="NAME", help="Who said it.")
@click.option("--decision", required=True, type=click.Choice(["approve", "reject"]), help="What was said.")
@click.option("--evidence", multiple=True, metavar="k=v", help="Where to look it up: run=URL; repeat it.")
@store_options
def answer(
    pipeline: Pipeline,
    paths: Sequence[str],
    since: str | None,
    via: Via,
    by: str,
    decision: Decision,
    evidence: tuple[str, ...],
    home: str | None,
    as_json: bool,
) -> int:
    """Write what people said in a CI system into the ledger, as the answer to what the pipeline asked of each USECASE.

    That is what was asked for the version that the pipeline made of the files here, even if it has asked for another
    one since; for files that it was never run with, what was asked last.
    The rules are those of every answer: approvers, their number, no self-approval, the deadline. A yes that the rules
    do not count is told and changes nothing: the request waits for those who may. Exits with 4 where the ledger says
    no, or has said so before.
    """
    settings = read_settings(home)
    log, desk, found = ReleaseLog(settings.home), open_desk(settings), pairs(evidence, "--evidence")
    views, code = [], int(ExitCode.DONE)
    for use_case in chosen_use_cases(pipeline, paths, since):
        asked = _asked(log, desk, use_case.name, pipeline.env, _version_here(settings, pipeline, use_case))
        view: dict[str, Any] = {"name": use_case.name, "request": asked}
        if asked is None:
            view["said"] = f"nobody was asked for {pipeline.env}"
        else:
            approval = _answered(desk, asked, by, decision, via, found)
            view |= {"state": str(approval.state), "said": approval.why}
            code = max(code, _code(approval, decision))
        views.append(view)
    if as_json:
        print_json({"decision": decision, "exit_code": code, "usecases": views})
    else:
        print_table(["use case", "request", "what it came to"], [_row(each) for each in views])
    return code


def _row(view: Mapping[str, Any]) -> tuple[str, str, str]:
    return str(view["name"]), str(view["request"] or ""), str(view["said"])


def _code(approval: Approval, decision: Decision) -> int:
    """A no that was to be written down is what was wanted; a yes to what is refused by now is not."""
    is_wanted = decision == "reject" or approval.state is ApprovalState.PENDING
    return int(ExitCode.DONE if is_wanted else answer_code(approval))


def _version_here(settings: Settings, pipeline: Pipeline, use_case: UseCase) -> str | None:
    """The version that the pipeline made of the files that are checked out; None when it was never run with them."""
    files = inputs_digest(use_case.root, use_case.folder, [settings.home])
    record = PipelineLog(settings.home).newest_of_files(use_case.name, pipeline.name, files)
    return record.version if record is not None else None


def _asked(log: ReleaseLog, desk: ApprovalDesk, name: str, env: str, version: str | None) -> str | None:
    """The request of the newest release of the use case to the environment that asked, for that version if it is known.

    A yes to what people were shown must not become one to what another change has asked since.
    """
    for record in log.list(name):
        if record.env == env and any(step.name == "approval" for step in record.steps):
            request = record.step("approval").result.get("request")
            if version is None:
                return str(request) if request else None
            if request and str(desk.get(str(request)).request.subject.version) == version:
                return str(request)
    return None


def _answered(
    desk: ApprovalDesk, id_: str, by: str, decision: Decision, via: Via, evidence: Mapping[str, str]
) -> Approval:
    """What the request has come to. A yes that does not count is told, and leaves the request as it is."""
    try:
        return desk.answer(id_, by, decision, via=via, evidence=evidence)
    except Conflict as error:
        click.echo(without_ci_commands(printable_text(f"{error}")), err=True)
        return desk.get(id_)

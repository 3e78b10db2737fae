"""``flowyard approval request``"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from flowyard._util.person import person_name
from flowyard.approval.experiment_report import report_of_experiment
from flowyard.approval.lineage import find_subject, registered_report, with_serving
from flowyard.approval.model import ApprovalPolicy
from flowyard.approval.open import open_desk
from flowyard.approval.report import read_report, with_warning
from flowyard.cli.approval.notices import tell_people
from flowyard.cli.approval.policy import policy_at
from flowyard.cli.approval.subject import require_digest, subject_options
from flowyard.cli.approval.view import print_approval
from flowyard.cli.approval.wait import wait_for
from flowyard.cli.shared.options import read_settings, store_options
from flowyard.errors import Conflict, UserError
from flowyard.registry.open import open_registry
from flowyard.settings import Settings
from flowyard.store import SqlStore

__all__ = ["request"]

_FROM_FILE = "The report comes from a file of whoever asks; flowyard did not measure what it says."


@click.command()
@subject_options
@click.option("--report", "report_file", metavar="FILE", help="Metrics and gates to decide on, as JSON.")
@click.option("--experiment", "key", metavar="KEY", help="Take them from this execution of an experiment.")
@click.option("--variant", metavar="LABEL", help="Which variant of it would ship (default: the flow as its files are).")
@click.option("--policy", "policy_path", metavar="PATH", help="The experiment.yaml, or its folder, with 'approval'.")
@click.option("--by", metavar="NAME", help="Who asks (default: your account and the e-mail that git knows).")
@click.option("--wait", "waits", is_flag=True, help="Wait for the answers; exit with 4 for every no.")
@store_options
def request(
    label: str,
    env: str,
    target: str,
    digest: str | None,
    report_file: str | None,
    key: str | None,
    variant: str | None,
    policy_path: str | None,
    by: str | None,
    waits: bool,
    home: str | None,
    as_json: bool,
) -> int:
    """Ask whether NAME:VERSION may be deployed to a target; a pending request for that target is void then."""
    settings = read_settings(home)
    registry = open_registry(settings)
    subject = find_subject(registry, label, env, target, require_digest(digest))
    if digest is not None and digest != subject.digest:
        raise Conflict(f"{label} is registered with another digest: {subject.digest}.", hint="Leave --digest out.")
    report = _report(settings, report_file, key, variant)
    if report is None:
        report = registered_report(registry, subject)
    desk = open_desk(settings)
    policy = ApprovalPolicy() if policy_path is None else policy_at(policy_path, env, registry)
    asked = desk.request(subject, with_serving(registry, subject, report), policy, by or person_name(settings.environ))
    tell_people(settings, desk, asked.request)
    if waits:
        click.echo(f"Request {asked.request.id}: flowyard approval approve {asked.request.id} --reason …", err=True)
        return wait_for(desk, asked.request.id, 2.0, as_json=as_json)
    print_approval(asked, as_json=as_json)
    return 0


def _report(settings: Settings, file: str | None, key: str | None, variant: str | None) -> Mapping[str, Any] | None:
    """The report that was named; None when none was."""
    if file is not None and key is not None:
        raise UserError("Give --report or --experiment, not both.")
    if file is not None:
        return with_warning(read_report(Path(file)), _FROM_FILE)
    if key is not None:
        return report_of_experiment(SqlStore(settings.home, settings.store).get_experiment(key), variant)
    return None

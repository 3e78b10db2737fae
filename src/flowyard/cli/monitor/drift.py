"""``flowyard monitor drift``"""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import click

from flowyard._util.files import write_atomic
from flowyard._util.moments import moment_text
from flowyard.cli.deploy.options import use_case_name
from flowyard.cli.monitor.options import flow_named, require_known, window
from flowyard.cli.shared.options import read_settings, store_options
from flowyard.cli.shared.output import print_json, print_warnings
from flowyard.cli.shared.tables import print_table, printable
from flowyard.errors import UserError
from flowyard.production.alerts.model import DriftReference, MonitoringPolicy
from flowyard.production.alerts.policy_file import MONITORING_FILE, find_monitoring, parse_reference
from flowyard.production.drift.model import DriftReport, DriftSettings, FeatureDrift
from flowyard.production.drift.observed import observations
from flowyard.production.drift.page import render_drift
from flowyard.production.drift.reference import drift_of, open_reference, window_before
from flowyard.production.exchanges.series import Window
from flowyard.production.store.store import open_production

__all__ = ["drift"]

_MOST_SHOWN = 30


@click.command()
@click.argument("use_case", metavar="[USECASE]", required=False)
@click.option("--flow", metavar="NAME", help="The flow, as records name it.")
@click.option(
    "--reference",
    metavar="WHAT",
    help="What is normal: registry:NAME:VERSION, run:NAME, or so long before (default: as long as the window).",
)
@click.option("--since", default="24h", show_default=True, help="From when on: 90m, 24h, 7d, or a time.")
@click.option("--until", help="Until when (default: now).")
@click.option("--version", help="Only this version.")
@click.option("--feature", "features", multiple=True, metavar="NAME", help="Only features whose names begin so.")
@click.option("--html", "html", metavar="FILE", help="Write a page with a picture of each feature.")
@store_options
def drift(
    use_case: str | None,
    flow: str | None,
    reference: str | None,
    since: str,
    until: str | None,
    version: str | None,
    features: tuple[str, ...],
    html: str | None,
    home: str | None,
    as_json: bool,
) -> None:
    """Show whether what a flow is asked, answers and is told of its answers is still what it was, version by version.

    USECASE is the folder with experiment.yaml; the block drift of its monitoring.yaml counts, where it is there.
    """
    settings = read_settings(home)
    store = open_production(settings)
    policy = _policy(use_case)
    named = flow_named(use_case, flow) if policy is None else policy.flow
    name = require_known(named, store.flows(), "the flow", "--flow")
    limits, normal = (policy.drift, policy.reference) if policy else (DriftSettings(), DriftReference())
    if features:
        limits = replace(limits, features=features)
    if reference is not None:
        normal = _parsed(reference)
    span = window(since, until)
    found = drift_of(
        open_reference(settings, store, name, normal.source, normal.before),
        observations(store, name, span, version=version),
        span,
        limits,
    )
    shown = _reference_text(normal, span)
    if html is not None:
        write_atomic(Path(html), render_drift(name, found, limits, span, shown))
    if as_json:
        print_json(_view(name, found, limits, span, shown))
        return
    _print(name, found, span, shown)
    if html is not None:
        click.echo(f"Page: {printable(html)}")


def _policy(use_case: str | None) -> MonitoringPolicy | None:
    """What monitoring.yaml says, where it is there. Raises UserError for one that cannot be used."""
    folder = Path(use_case) if use_case is not None else None
    folder = folder if folder is None or folder.is_dir() else folder.parent
    if folder is None or not (folder / MONITORING_FILE).is_file():
        return None
    return find_monitoring(folder, partial(use_case_name, folder))


def _parsed(text: str) -> DriftReference:
    try:
        return parse_reference(text)
    except ValueError as error:
        raise UserError(f"--reference: {error}.") from None


def _reference_text(reference: DriftReference, span: Window) -> str:
    if reference.source is not None:
        return reference.source
    before = window_before(span, reference.before)
    return f"{moment_text(before.since)} to {moment_text(before.until)}"


def _print(name: str, found: DriftReport, span: Window, reference: str) -> None:
    drifted = len(found.drifted)
    current = sum(found.current_records.values())
    click.echo(f"{printable(name)}, {moment_text(span.since)} to {moment_text(span.until)}: {current:,} records")
    click.echo(f"against {printable(reference)}: {found.reference_records:,} records")
    click.echo(f"{drifted} of {len(found.features)} features drifted")
    if found.features:
        print_table(
            ["feature", "version", "", "effect", "p", "was", "is"],
            [_row(each) for each in found.features[:_MOST_SHOWN]],
            whole=["", "effect", "p"],
        )
    if len(found.features) > _MOST_SHOWN:
        click.echo(f"{len(found.features) - _MOST_SHOWN} more did not drift further; --json has all.")
    if not current:
        print_warnings(
            ["Nothing was recorded in this time, so there is nothing to compare: --since takes a longer one."]
        )
    elif not found.reference_records:
        print_warnings(["Nothing is known of what was normal: --reference names a dataset, a run or a longer time."])
    if found.too_few:
        named = ", ".join(map(printable, found.too_few))
        which = "the version" if len(found.too_few) == 1 else "the versions"
        print_warnings([f"Too few records on a side to compare {which} {named}: --since, --reference or min_records."])


def _row(each: FeatureDrift) -> tuple[str, ...]:
    sign = "drift" if each.is_drifted else ""
    sign += " simulated" if each.is_simulated else ""
    version = printable(each.version)[:12]
    texts = (printable(each.reference_text)[:24], printable(each.current_text)[:24])
    return (printable(each.feature), version, sign.strip(), f"{each.effect:.2f}", f"{each.p_value:.1g}", *texts)


def _view(name: str, found: DriftReport, limits: DriftSettings, span: Window, reference: str) -> dict[str, Any]:
    """What machines get: the names in it are a contract."""
    return {
        "flow": name,
        "since": span.since.isoformat(),
        "until": span.until.isoformat(),
        "reference": reference,
        "reference_records": found.reference_records,
        "current_records": dict(found.current_records),
        "too_few": list(found.too_few),
        "alpha": limits.alpha,
        "effect": limits.effect,
        "drifted": len(found.drifted),
        "features": [asdict(each) for each in found.features],
    }

"""``flowyard azure doctor``"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

import click

from flowyard._util.printable import printable_text
from flowyard.azure import AzureCloud, open_http, open_tokens
from flowyard.azure.account import Finding, Needs, WorkspacePlace, examine_account
from flowyard.azure.account.doctor import examine_login
from flowyard.azure.patience import Patience
from flowyard.cli.azure.options import PlaceNames, chosen_environments, needs_of, place_names, place_options
from flowyard.cli.shared.options import read_settings, store_options
from flowyard.cli.shared.output import print_json
from flowyard.errors import ExitCode
from flowyard.settings import Settings

__all__ = ["doctor"]

_COLORS = {"ok": "green", "wrong": "red", "unknown": "yellow"}
_PATIENCE = Patience(attempts=3, total_s=60.0)


@click.command()
@place_options
@store_options
def doctor(path: str | None, envs: tuple[str, ...], home: str | None, as_json: bool, **given: str | None) -> int:
    """Look at what flows of USECASE need in Azure: login, workspace, roles, quota and connections.

    Nothing is changed and no secret is read. Exit 0: nothing is wrong; 2: something has to be set first; 5: something
    in Azure is wrong.
    """
    settings = read_settings(home)
    environments = chosen_environments(path, envs)
    names = place_names(given, environments, settings.environ, settings.registry)
    findings = asyncio.run(_findings(settings, names, needs_of(environments, path), show=not as_json))
    if as_json:
        print_json({"findings": [_view(each) for each in findings]})
    else:
        counts = Counter[str](each.state for each in findings)
        click.echo(", ".join(f"{counts[state]} {state}" for state in _COLORS))
    return _exit_code(findings)


async def _findings(settings: Settings, names: PlaceNames, needs: tuple[Needs, ...], *, show: bool) -> list[Finding]:
    cloud, tokens = AzureCloud.read(settings.environ), open_tokens(settings.environ)
    found: list[Finding] = []
    missing = names.missing(workspace=not needs or any(each.target == "azure-ml" for each in needs))
    if missing:
        found = [(await examine_login(cloud, tokens))[0], *missing]
        for each in found if show else ():
            _say(each)
        return found
    place = WorkspacePlace(names.subscription, names.resource_group, names.workspace)
    async with open_http(cloud, _PATIENCE) as http:
        async for each in examine_account(http, cloud, tokens, place, needs):
            found.append(each)
            if show:
                _say(each)
    return found


def _say(finding: Finding) -> None:
    state = click.style(f"{finding.state:<8}", fg=_COLORS[finding.state])
    first, *rest = printable_text(finding.text).splitlines() or [""]
    click.echo(f"{state}{printable_text(finding.what)}: {first}")
    for line in rest:
        click.echo(f"        {line}")
    if finding.fix and finding.state != "ok":
        click.echo(f"        → {printable_text(finding.fix)}")


def _view(finding: Finding) -> dict[str, Any]:
    return {"what": finding.what, "state": finding.state, "text": finding.text, "fix": finding.fix}


def _exit_code(findings: Sequence[Finding]) -> int:
    wrong = [each for each in findings if each.state == "wrong"]
    if any(each.is_setting for each in wrong):
        return ExitCode.WRONG_INPUT
    return ExitCode.OUTSIDE_FAILED if wrong else ExitCode.DONE

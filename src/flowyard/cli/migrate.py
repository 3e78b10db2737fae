"""``flowyard migrate``"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from flowyard._util.ci_commands import without_ci_commands
from flowyard._util.printable import printable_text
from flowyard.cli.shared.output import print_json
from flowyard.migration import (
    Finding,
    FindingKind,
    Migration,
    Written,
    change_text,
    survey_repository,
    write_migration,
)
from flowyard.migration.model import KINDS, counted
from flowyard.reports.values import one_line, plural

__all__ = ["migrate"]

_COLORS: dict[FindingKind, str] = {"problem": "red", "surprise": "yellow", "later": "cyan"}
_LONGEST = 400


@click.command()
@click.argument("path", metavar="PATH", type=click.Path(path_type=Path))
@click.option("--write", is_flag=True, help="Make the safe changes, each with a backup, and write MIGRATION.md.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON value on stdout.")
def migrate(path: Path, write: bool, as_json: bool) -> None:
    """Say what in the repository at PATH, laid out by the GenAIOps template, maps to what here. Runs nothing."""
    migration = survey_repository(path)
    written = write_migration(migration) if write else []
    if as_json:
        print_json(_view(migration, written))
        return
    for case in migration.use_cases:
        _print_findings(case.folder, case.findings)
    if migration.shared:
        _print_findings("shared by all use cases", migration.shared)
    _print_files(migration, written, wrote=write)


def _print_findings(title: str, findings: tuple[Finding, ...]) -> None:
    counts = ", ".join(f"{count} {kind}" for kind, count in counted(findings).items())
    click.secho(f"{_one_line(title)}: {counts or 'nothing found'}", bold=True)
    for finding in findings:
        kind = click.style(finding.kind.ljust(8), fg=_COLORS.get(finding.kind))
        click.echo(f"  {kind}  {_one_line(f'{finding.where}: {finding.message}')}")
        for line in finding.advice.splitlines():
            click.echo(f"            {_one_line(line)}")
    click.echo()


def _print_files(migration: Migration, written: list[Written], *, wrote: bool) -> None:
    for each in written:
        kept = f" (before: {each.backup.name})" if each.backup else ""
        click.echo(f"Written: {_name(migration, each.file)}{kept}")
        if each.backup:
            click.echo(_shown(each.difference))
    if wrote and not written:
        click.echo("Nothing had to be written.")
    if not wrote and migration.changes:
        for change in migration.changes:
            click.echo(_shown(change_text(change)))
        click.echo(f"--write would make {plural(len(migration.changes), 'change')} and keep what the files say now.")


def _one_line(text: str) -> str:
    """What names and files say is no command to a terminal or a CI system."""
    return without_ci_commands(one_line(text, most=_LONGEST))


def _shown(patch: str) -> str:
    return "\n".join(without_ci_commands(printable_text(line, " ")) for line in patch.splitlines())


def _name(migration: Migration, file: Path) -> str:
    return _one_line(file.relative_to(migration.root).as_posix())


def _view(migration: Migration, written: list[Written]) -> dict[str, Any]:
    return {
        "path": str(migration.root),
        "kinds": KINDS,
        "use_cases": [
            {
                "name": case.name,
                "folder": case.folder,
                "environments": case.environments,
                "findings": [_finding_view(each) for each in case.findings],
                "changes": [{"file": _name(migration, each.file), "reasons": each.reasons} for each in case.changes],
            }
            for case in migration.use_cases
        ],
        "shared": [_finding_view(each) for each in migration.shared],
        "counts": counted(migration.findings),
        "written": [
            {"file": _name(migration, each.file), "backup": _name(migration, each.backup) if each.backup else None}
            for each in written
        ],
    }


def _finding_view(finding: Finding) -> dict[str, Any]:
    return {
        "kind": finding.kind,
        "file": finding.file,
        "line": finding.line,
        "message": finding.message,
        "advice": finding.advice,
    }

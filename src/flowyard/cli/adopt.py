"""``flowyard adopt``"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from flowyard._util.ci_commands import without_ci_commands
from flowyard.adoption import Adoption, adopt, plan_adoption
from flowyard.cli.shared.output import path_from_here, print_json, print_warnings
from flowyard.reports.values import one_line, plural
from flowyard.scaffold import left_behind

__all__ = ["adopt_"]

_LONGEST = 400


@click.command(name="adopt")
@click.argument("path", metavar="PATH", type=click.Path(path_type=Path))
@click.option("--name", metavar="NAME", help="The use case's name (default: the flow's folder).")
@click.option(
    "--root", type=click.Path(path_type=Path, file_okay=False), default=Path(), metavar="DIR",
    help="The repository that a flow comes into (default: this one).",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say what would be done, and write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON value on stdout.")
def adopt_(path: Path, name: str | None, root: Path, dry_run: bool, as_json: bool) -> None:
    """Take in what exists: a flow's folder or file, or a whole repository of the GenAIOps template.

    A flow is copied byte for byte into a new use case, with an experiment and a deployment beside it. A repository
    stays where it is and gets what it lacks. Nothing of either is run; of a file that is changed a copy is kept.
    """
    adoption = plan_adoption(path, root, name)
    planned = adoption.new_files
    written = [] if dry_run else adopt(adoption)
    if as_json:
        print_json(_view(adoption, planned, written))
        return
    _print(adoption)
    if written and adoption.is_copied:
        print_warnings(
            f"{path_from_here(each)} is what an adoption that was stopped left behind; it may be removed."
            for each in left_behind(adoption.root / adoption.use_cases[0])
        )
    for file in written:
        click.echo(f"Wrote {_one_line(path_from_here(file))}")
    if not (written or planned or _changed(adoption)):
        click.echo("Everything is there already: nothing is written.")
    elif dry_run:
        changed = _changed(adoption)
        more = f" and change {plural(changed, 'file')}" if changed else ""
        click.echo(f"This would write {plural(len(planned), 'file')}{more}; without --dry-run it does.")
    if not dry_run:
        use_case = path_from_here(adoption.root / adoption.use_cases[0])
        click.echo(_one_line(f"Try it: flowyard experiment run {use_case} --dry-run"))


def _one_line(text: str) -> str:
    """What names and files say is no command to a terminal or a CI system."""
    return without_ci_commands(one_line(text, most=_LONGEST))


def _changed(adoption: Adoption) -> int:
    """How many files are changed, beside those that are new."""
    return len(adoption.migration.changes) if adoption.migration else 0


def _print(adoption: Adoption) -> None:
    for each in adoption.mapped:
        click.echo(_one_line(f"{each.where}: {each.found} → {each.here}"))
    if adoption.left:
        click.secho("Left to do:", bold=True)
    for left in adoption.left:
        click.echo(f"  {_one_line(f'{left.where}: {left.message}')}")
        for line in left.advice.splitlines():
            click.echo(f"      {_one_line(line)}")


def _view(adoption: Adoption, planned: list[str], written: list[Path]) -> dict[str, Any]:
    return {
        "root": str(adoption.root),
        "use_cases": adoption.use_cases,
        "files": planned,
        "written": list(map(str, written)),
        "mapped": [{"where": each.where, "found": each.found, "here": each.here} for each in adoption.mapped],
        "left": [{"where": each.where, "message": each.message, "advice": each.advice} for each in adoption.left],
    }

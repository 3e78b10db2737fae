"""``flowyard pipeline comment``"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import click

from flowyard._util.ci_commands import without_ci_commands
from flowyard._util.printable import printable_text
from flowyard.cli.shared.options import read_settings, store_options
from flowyard.cli.shared.output import print_json
from flowyard.errors import NotFound, UserError
from flowyard.pipelines.comments import find_place
from flowyard.pipelines.comments.model import NotPermitted, fitted, joined, marker_of
from flowyard.pipelines.comments.received import find_reports
from flowyard.pipelines.report import MOST_CHARACTERS
from flowyard.pipelines.use_cases.matrix import MOST_JOBS

__all__ = ["comment"]

_SUMMARY = "GITHUB_STEP_SUMMARY"
_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")


@click.command()
@click.option("--file", "path", metavar="FILE", help="A report of this job, such as summary.md.")
@click.option("--reports", "folder", metavar="DIR", help="Artifacts with reports of other jobs, which are not trusted.")
@click.option("--together", metavar="NAME", help="With --reports: one comment of this name, however many they are.")
@click.option("--number", type=click.IntRange(1), metavar="N", help="The pull request (default: the job's).")
@store_options
def comment(
    path: str | None,
    folder: str | None,
    together: str | None,
    number: int | None,
    home: str | None,
    as_json: bool,
) -> None:
    """Put a report on the pull request as one comment, which the next one of the same report replaces.

    A job that may not comment, as that of a pull request from a fork, writes it to the job's summary only, and says so.
    On GitHub the token is GITHUB_TOKEN with pull-requests: write, on Azure DevOps SYSTEM_ACCESSTOKEN.
    """
    environ = read_settings(home).environ
    if (path is None) == (folder is None):
        raise UserError("Which report?", hint="Either --file FILE or --reports DIR.")
    if together is not None and (folder is None or not _NAME.fullmatch(together)):
        raise UserError(f"There is no comment {together!a} to make.", hint="--reports DIR --together NAME")
    texts = [_own(Path(path))] if path is not None else _received(Path(str(folder)), together)
    done = []
    for text in texts:
        done.append(_put(environ, text, number))
        if not as_json:
            click.echo(without_ci_commands(str(done[-1]["said"])), err=done[-1]["how"] is None)
    if as_json:
        print_json(done if path is None else done[0])


def _own(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        hint = "flowyard pipeline report PIPELINE USECASE --output DIR"
        raise NotFound(f"There is no report {path}.", hint=hint) from None


def _received(folder: Path, together: str | None) -> list[str]:
    """The texts of other jobs' reports, or one of all of them; those that are none are told."""
    if not folder.is_dir():
        click.echo("nothing was commented: there are no reports", err=True)
        return []
    found = find_reports(folder) if together is None else find_reports(folder, most=MOST_JOBS)
    for each in found:
        if each.problem is not None:
            click.echo(without_ci_commands(printable_text(f"{each.place} is left out: {each.problem}")), err=True)
    texts = [each.text for each in found if each.text is not None]
    return [joined(texts, together, MOST_CHARACTERS)] if together is not None and texts else texts


def _put(environ: Mapping[str, str], text: str, number: int | None) -> dict[str, str | None]:
    """What became of it: ``said``, and ``how`` and ``url`` of the comment."""
    place, marker = find_place(environ, number), marker_of(text)
    if isinstance(place, str):
        said, posted = f"nothing was commented: {place}", None
    else:
        try:
            posted = place.put(marker, fitted(text, marker, place.most))
            said = f"the comment on {place.label} is {posted.how}"
        except NotPermitted as refusal:
            where = "the job's summary has it" if _to_summary(environ.get(_SUMMARY), text) else "see the artifacts"
            said = f"{place.label} permits no comment ({refusal}), as for pull requests from forks: {where}"
            posted = None
    return {"said": said, "how": posted.how if posted else None, "url": posted.url if posted else None}


def _to_summary(summary: str | None, text: str) -> bool:
    """Whether there is a summary of the job, which has the text then: once, if the step has put it there already."""
    if not summary:
        return False
    with Path(summary).open("a+", encoding="utf-8") as file:
        file.seek(0)
        if text not in file.read():
            file.write(text)
    return True

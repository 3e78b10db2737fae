"""``flowyard pipeline comment``"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import click

from flowyard.cli.shared.options import read_settings, store_options
from flowyard.cli.shared.output import print_json
from flowyard.errors import NotFound, UserError
from flowyard.pipelines.comments import find_place
from flowyard.pipelines.comments.model import NotPermitted, fitted, joined, marker_of
from flowyard.pipelines.report import MOST_CHARACTERS

__all__ = ["comment"]

_SUMMARY = "GITHUB_STEP_SUMMARY"
_NAME = re.compile(r"[A-Za-z0-9._-]{1,100}")


@click.command()
@click.option("--file", "paths", required=True, multiple=True, metavar="FILE", help="A report: summary.md; repeatable.")
@click.option("--together", metavar="NAME", help="One comment of this name for all reports, however many they are.")
@click.option("--number", type=click.IntRange(1), metavar="N", help="The pull request (default: the job's).")
@store_options
def comment(paths: Sequence[str], together: str | None, number: int | None, home: str | None, as_json: bool) -> None:
    """Put reports on the pull request as one comment, which the next one of the same reports replaces.

    A job that may not comment, as that of a pull request from a fork, writes it to the job's summary only, and says so.
    On GitHub the token is GITHUB_TOKEN with pull-requests: write, on Azure DevOps SYSTEM_ACCESSTOKEN.
    """
    environ = read_settings(home).environ
    texts = [_read(path) for path in paths]
    if together is None and len(texts) > 1:
        raise UserError("Several reports become one comment, which needs a name.", hint="--together pr")
    if together is not None and not _NAME.fullmatch(together):
        raise UserError(f"{together!a} is no name of a comment.", hint="Use letters, digits, dots, dashes.")
    text = texts[0] if together is None else joined(texts, together, MOST_CHARACTERS)
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
    if as_json:
        print_json({"said": said, "how": posted.how if posted else None, "url": posted.url if posted else None})
    else:
        click.echo(said, err=posted is None)


def _read(path: str) -> str:
    try:
        return Path(path).read_text("utf-8")
    except FileNotFoundError:
        hint = "flowyard pipeline report PIPELINE USECASE --output DIR"
        raise NotFound(f"There is no report {path}.", hint=hint) from None


def _to_summary(summary: str | None, text: str) -> bool:
    """Whether there is a summary of the job, which has the text then."""
    if not summary:
        return False
    with Path(summary).open("a", encoding="utf-8") as file:
        file.write(text)
    return True

"""What changed between two versions as one page that needs nothing else; all text in it is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flowyard import __version__
from flowyard._util.files import dump_json
from flowyard.registry.diff import FileChange, SideRow, VersionDiff, side_by_side
from flowyard.reports.page import content_policy, page_environment, read_asset, valid_text

__all__ = ["render_version_diff"]

_MOST_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class _File:
    """A changed file with its lines beside each other; ``rows`` is empty for what is no text."""

    change: FileChange
    rows: Sequence[SideRow]
    left_out: int


def render_version_diff(found: VersionDiff) -> str:
    """The page's whole text. Prompts are shown whole, of other files the lines around a change."""
    environment = page_environment()
    environment.filters["shown"] = _shown
    style = read_asset(environment, "index.css") + read_asset(environment, "version_diff.css")
    page = environment.get_template("version_diff.html.j2").render(
        diff=found,
        files=[_file(change) for change in sorted(found.files, key=lambda each: (not each.is_prompt, each.name))],
        style=style,
        policy=content_policy(style, ""),
        version=__version__,
    )
    return valid_text(page)


def _file(change: FileChange) -> _File:
    if not change.is_text:
        return _File(change, (), 0)
    rows = side_by_side(change.before or "", change.after or "", context=None if change.is_prompt else 3)
    return _File(change, rows[:_MOST_ROWS], max(0, len(rows) - _MOST_ROWS))


def _shown(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else dump_json(value)

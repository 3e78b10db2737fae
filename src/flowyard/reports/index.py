"""The page over all experiments: what each execution came to, with a link to its report."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

from flowyard import __version__
from flowyard._util.files import write_atomic
from flowyard._util.lock import locked
from flowyard.reports.outcomes import Outcome, iter_outcomes
from flowyard.reports.sparkline import Sparkline, sparkline
from flowyard.reports.values import metric_text, ms_text, plural, seconds_text
from flowyard.runs.cost_text import usd_text

__all__ = ["MOST_EXECUTIONS", "render_index", "write_index"]

MOST_EXECUTIONS = 1_000
"""How many executions the page lists, the newest; ``experiment list`` has all."""
_MOST_POINTS = 40


@dataclass(frozen=True, slots=True)
class _Row:
    """One execution; ``link`` leads from the index to its report."""

    outcome: Outcome
    link: str


@dataclass(frozen=True, slots=True)
class _Course:
    """How one experiment went over time in one environment: the newest outcome, and its main metric."""

    newest: _Row
    count: int
    line: Sparkline | None


def write_index(experiments: Path) -> Path:
    """Write ``index.html`` into the folder of all experiments; returns its path.

    Who finishes last sees what all others wrote, because each reads and writes under a lock.
    """
    page = experiments / "index.html"
    with locked(experiments / ".index.lock"):
        write_atomic(page, render_index(iter_outcomes(experiments)))
    return page


def render_index(outcomes: Iterable[tuple[Path, Outcome]]) -> str:
    """The page's whole text."""
    rows = [_Row(outcome, _link(folder)) for folder, outcome in outcomes]
    rows.sort(key=lambda row: (row.outcome.created_at, row.outcome.key), reverse=True)
    environment = Environment(
        loader=PackageLoader("flowyard.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"metric": metric_text, "seconds": seconds_text, "usd": usd_text, "ms": ms_text}
    environment.globals |= {"plural": plural, "moment": _moment}
    style, script = (_asset(environment, name) for name in ("index.css", "index.js"))
    page = environment.get_template("index.html.j2").render(
        rows=rows[:MOST_EXECUTIONS],
        left_out=len(rows) - MOST_EXECUTIONS,
        courses=_courses(rows),
        experiments=len({row.outcome.name for row in rows}),
        verdicts=sorted({row.outcome.verdict or "none" for row in rows}),
        simulated=any(row.outcome.simulated for row in rows),
        style=style,
        script=script,
        policy=_policy(style, script),
        version=__version__,
    )
    return page.encode("utf-8", "backslashreplace").decode("utf-8")


def _courses(rows: Sequence[_Row]) -> list[_Course]:
    """One for each experiment and environment, because another environment has other data; newest first."""
    groups: dict[tuple[str, str | None], list[_Row]] = {}
    for row in rows:
        groups.setdefault((row.outcome.name, row.outcome.env), []).append(row)
    return [_Course(group[0], len(group), _line(group)) for group in groups.values()]


def _line(group: Sequence[_Row]) -> Sparkline | None:
    main = _measured(group[0].outcome)
    same = [row.outcome for row in group if _measured(row.outcome) == main]
    values = [outcome.value for outcome in reversed(same[:_MOST_POINTS]) if outcome.value is not None]
    return sparkline(values)


def _measured(outcome: Outcome) -> tuple[str | None, str | None]:
    return outcome.metric, outcome.dataset


def _link(folder: Path) -> str:
    return "/".join(quote(part, safe="") for part in (folder.parent.name, folder.name, "report.html"))


def _moment(timestamp: str) -> str:
    """``2025-03-01T10:20:30.5+00:00`` as ``2025-03-01 10:20``."""
    return f"{timestamp[:10]} {timestamp[11:16]}" if timestamp[10:11] == "T" else timestamp


def _asset(environment: Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def _policy(style: str, script: str) -> str:
    """Only this page's own style sheet and script, and no request of any kind."""
    hashes = ("sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script))
    styles, scripts = hashes
    allowed = f"style-src '{styles}'; script-src '{scripts}'"
    return f"default-src 'none'; {allowed}; base-uri 'none'; form-action 'none'"

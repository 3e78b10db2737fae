"""Going on with a run: in its own place, or as a new run that takes over the lines which it completed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from flowyard.abc import Store
from flowyard.errors import Conflict, UserError
from flowyard.records import LineResult, RunRecord
from flowyard.runs.parts import has_parts, merge_parts
from flowyard.runs.results import LinePlaces, scan_raw_lines
from flowyard.sessions.encoding import is_whole, read_line
from flowyard.sessions.session import FinishedLine

__all__ = [
    "Recovered",
    "find_earlier",
    "is_nothing_left",
    "recover",
    "require_resumable",
    "require_same_lines",
    "require_same_versions",
    "taken_over",
]


def find_earlier(name: str | None, store: Store) -> RunRecord | None:
    """The run to take lines from, None without a name. Raises NotFound, and UserError while it is running."""
    if name is None:
        return None
    earlier = store.get_run(name)
    if earlier.status == "running":
        raise UserError(f"Run {earlier.name!r} is running.", hint=f"Wait for it: flowyard run stream -n {earlier.name}")
    if has_parts(earlier):
        with store.hold(earlier.name):
            merge_parts(earlier)
    return earlier


def require_resumable(run: RunRecord) -> None:
    """Raises Conflict while somebody runs it, UserError when there is nothing to go on with."""
    if run.status == "running":
        raise Conflict(f"Run {run.name!r} is running.", hint=f"Watch it: flowyard run stream -n {run.name}")
    if run.source:
        raise UserError(f"Run {run.name!r} was registered from {run.source}; only a run made here is resumed.")


def require_same_lines(earlier: RunRecord | None, total: int) -> None:
    """Raises UserError when the data has another number of lines than it had."""
    if earlier is not None and earlier.base_run is None and earlier.lines.total != total:
        raise UserError(
            f"The data of run {earlier.name!r} had {earlier.lines.total} lines and now has {total}.",
            hint="Make a new run without --resume-from.",
        )


def require_same_versions(earlier: RunRecord, flow_digest: str, data_digest: str | None, *, anyway: bool) -> list[str]:
    """What changed since the run began, as warnings; unless ``anyway``, raises UserError when something did."""
    before = {"flow": earlier.flow_digest, "data": earlier.data_digest}
    now = {"flow": flow_digest, "data": data_digest}
    changed = [what for what in now if before[what] is not None and before[what] != now[what]]
    if changed and not anyway:
        raise UserError(
            f"The {' and the '.join(changed)} of run {earlier.name!r} changed since it began.",
            hint="Undo the change, make a new run, or mix old and new lines with: "
            f"flowyard run resume {earlier.name} --anyway",
        )
    return [f"The {what} changed before the run was resumed." for what in changed]


@dataclass(slots=True)
class Recovered:
    """What a run has on disk: the lines that are ``done``, how many stored ones were damaged, and whole bytes."""

    done: LinePlaces = field(default_factory=LinePlaces)
    damaged: int = 0
    end: int = 0


def is_nothing_left(run: RunRecord, found: Recovered, *, retry_failed: bool) -> bool:
    """Whether a run is whole, so that going on with it would run nothing."""
    if run.status != "completed" or found.damaged or (retry_failed and (run.lines.failed or run.errors)):
        return False
    return sum(1 for _ in found.done.in_order()) == run.lines.total


def taken_over(earlier: RunRecord | None) -> Iterator[FinishedLine]:
    """The lines that an earlier run completed, one at a time; damaged ones are left out."""
    if earlier is not None:
        yield from _done_lines(earlier, _found(earlier, retry_failed=True).done)


def recover(run: RunRecord, *, retry_failed: bool) -> tuple[Recovered, Iterator[FinishedLine]]:
    """Make ``lines.jsonl`` fit to be appended to, and find what is left to run.

    A torn end is cut off and damaged lines are taken out: they count as not run. Lines that only workers of a cluster
    have stored are taken over. With ``retry_failed`` lines that failed count as not run, too. The second answer gives
    every line that is done, once.
    """
    merge_parts(run)
    found = _found(run, retry_failed=retry_failed)
    if found.damaged:
        _take_out_damaged(run)
        damaged, found = found.damaged, _found(run, retry_failed=retry_failed)
        found.damaged = damaged
    elif run.lines_path.exists() and run.lines_path.stat().st_size > found.end:
        os.truncate(run.lines_path, found.end)
    return found, _done_lines(run, found.done)


def _found(run: RunRecord, *, retry_failed: bool) -> Recovered:
    found = Recovered()
    if run.lines_path.exists():
        for raw, offset in scan_raw_lines(run.lines_path):
            found.end = offset + len(raw)
            line = _readable(raw)
            if line is None:
                found.damaged += 1
            elif line.status == "completed" or not retry_failed:
                found.done.put(line.line_number, offset)
    return found


def _take_out_damaged(run: RunRecord) -> None:
    """Replace ``lines.jsonl``, as a whole, by one with its whole lines."""
    temporary = run.lines_path.with_suffix(".jsonl.part")
    with temporary.open("wb") as file:
        for raw, _ in scan_raw_lines(run.lines_path):
            if _readable(raw) is not None:
                file.write(raw)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(run.lines_path)


def _done_lines(run: RunRecord, done: LinePlaces) -> Iterator[FinishedLine]:
    if not done:
        return
    with run.lines_path.open("rb") as file:
        for offset in done.in_order():
            file.seek(offset)
            raw = file.readline()
            yield _finished(read_line(raw, f"A line of run {run.name!r}"), raw)


def _readable(raw: bytes) -> LineResult | None:
    if not is_whole(raw):
        return None
    try:
        return read_line(raw, "")
    except Exception:  # whatever is in its place, it is not a line
        return None


def _finished(line: LineResult, raw: bytes) -> FinishedLine:
    return FinishedLine(line.line_number, line.status, raw.rstrip(b"\n"), line.duration_s, line.usage, line.error)

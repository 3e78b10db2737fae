"""Going on with an earlier run: a new run that takes over the lines which that one completed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from flowyard.abc import Store
from flowyard.errors import UserError
from flowyard.records import LineResult, LineTask, RunRecord
from flowyard.runs.results import read_lines

__all__ = ["find_earlier", "remaining_tasks", "require_same_lines"]


def find_earlier(name: str | None, store: Store) -> RunRecord | None:
    """The run to take lines from, None without a name. Raises NotFound, and UserError while it is running."""
    if name is None:
        return None
    earlier = store.get_run(name)
    if earlier.status == "running":
        raise UserError(f"Run {earlier.name!r} is running.", hint=f"Wait for it: flowyard run stream -n {earlier.name}")
    return earlier


def require_same_lines(earlier: RunRecord | None, total: int) -> None:
    """Raises UserError when the data has another number of lines than it had."""
    if earlier is not None and earlier.base_run is None and earlier.lines.total != total:
        raise UserError(
            f"The data of run {earlier.name!r} had {earlier.lines.total} lines and now has {total}.",
            hint="Make a new run without --resume-from.",
        )


def remaining_tasks(
    tasks: Iterable[LineTask], earlier: RunRecord | None, on_line: Callable[[LineResult], None]
) -> Iterator[LineTask]:
    """The lines that are still to be run; each that ``earlier`` completed goes to ``on_line`` instead.

    Both are ascending, so that one earlier line at a time is in memory.
    """
    done = iter(()) if earlier is None else (line for line in read_lines(earlier) if line.status == "completed")
    line = next(done, None)
    for task in tasks:
        while line is not None and line.line_number < task.line_number:
            line = next(done, None)
        if line is not None and line.line_number == task.line_number:
            on_line(line)
        else:
            yield task

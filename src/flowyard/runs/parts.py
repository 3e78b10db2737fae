"""Taking over what the workers of a cluster stored and the process that drove the run had no time to."""

from __future__ import annotations

import os

from flowyard.errors import StoreError
from flowyard.records import RunRecord
from flowyard.runs.results import LinePlaces, ResultWriter, read_heads, scan_raw_lines
from flowyard.sessions.cluster.parts import delete_parts, finished_line, parts_folder, read_parts
from flowyard.sessions.encoding import is_whole

__all__ = ["has_parts", "merge_parts"]


def has_parts(run: RunRecord) -> bool:
    """Whether workers of a cluster may have stored lines of the run that are not in its ``lines.jsonl``."""
    return parts_folder(run.path).is_dir()


def merge_parts(run: RunRecord) -> None:
    """Append the lines that only parts have, each once, then delete the parts. The caller holds the run.

    A completed line in a part goes over a failed one in ``lines.jsonl``. Stopped at any instant, it can be done again.
    Raises StoreError, and OutsideError when the storage of the parts does not answer; then they stay.
    """
    if not has_parts(run):
        return
    completed, failed = _stored(run)
    try:
        with ResultWriter(run.lines_path) as writer:
            for raw in read_parts(run.path):
                line = finished_line(raw)
                number = line.line_number
                if number in completed or (number in failed and line.status != "completed"):
                    continue
                writer.append(line)
                (completed if line.status == "completed" else failed).put(number, 0)
    except OSError as error:
        raise StoreError(f"The parts of run {run.name!r} cannot be taken over: {error.strerror}.") from error
    delete_parts(run.path)


def _stored(run: RunRecord) -> tuple[LinePlaces, LinePlaces]:
    """The lines that are stored: completed ones and failed ones. A torn end is cut off."""
    completed, failed = LinePlaces(), LinePlaces()
    if not run.lines_path.exists():
        return completed, failed
    end = 0
    for raw, offset in scan_raw_lines(run.lines_path):
        end = offset + len(raw)
        if is_whole(raw):
            number, status = read_heads(raw)
            (completed if status == "completed" else failed).put(number, offset)
    if run.lines_path.stat().st_size > end:
        os.truncate(run.lines_path, end)
    return completed, failed

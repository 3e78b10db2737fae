"""Many lines: data and mappings in, results on disk as they come."""

from flowyard.runs.execution import Progress
from flowyard.runs.run import RunRequest, execute_run

__all__ = ["Progress", "RunRequest", "execute_run"]

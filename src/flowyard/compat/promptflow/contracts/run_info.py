"""The names of ``promptflow.contracts.run_info``."""

from flowyard._util.promptflow_names import uncovered_names
from flowyard.client.answer import FlowRunInfo, RunInfo, Status

__all__ = ["FlowRunInfo", "RunInfo", "Status"]
__getattr__ = uncovered_names("promptflow.contracts.run_info")

"""The names of ``promptflow._sdk._constants`` that scripts import."""

from flowyard._util.promptflow_names import uncovered_names
from flowyard.client.run_operations import ListViewType

__all__ = ["ListViewType"]
__getattr__ = uncovered_names("promptflow._sdk._constants")

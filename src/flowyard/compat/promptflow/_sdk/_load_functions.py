"""The names of ``promptflow._sdk._load_functions``."""

from flowyard._util.promptflow_names import uncovered_names
from flowyard.client.flow import load_flow
from flowyard.client.run_entity import load_run

__all__ = ["load_flow", "load_run"]
__getattr__ = uncovered_names("promptflow._sdk._load_functions")

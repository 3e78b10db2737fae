"""The names of ``promptflow`` itself."""

from flowyard._util.promptflow_names import uncovered_names
from flowyard.client.flow import load_flow
from flowyard.client.pf_client import PFClient
from flowyard.client.run_entity import load_run
from flowyard.engine.tool import ToolProvider, log_metric, tool

__all__ = ["PFClient", "ToolProvider", "load_flow", "load_run", "log_flow_metric", "log_metric", "tool"]
log_flow_metric = log_metric
__version__ = "1.18.5"  # the release whose names and behaviour are covered
__getattr__ = uncovered_names("promptflow")

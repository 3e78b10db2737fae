"""The names of ``promptflow.client``."""

from flowyard._util.promptflow_names import uncovered_names
from flowyard.client.flow import load_flow
from flowyard.client.pf_client import PFClient
from flowyard.client.run_entity import load_run

__all__ = ["PFClient", "load_flow", "load_run"]
__getattr__ = uncovered_names("promptflow.client")

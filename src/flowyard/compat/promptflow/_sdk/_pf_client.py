"""The names of ``promptflow._sdk._pf_client``."""

from flowyard._util.promptflow_names import uncovered_names
from flowyard.client.pf_client import PFClient

__all__ = ["PFClient"]
__getattr__ = uncovered_names("promptflow._sdk._pf_client")

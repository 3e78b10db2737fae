"""The names of ``promptflow.core._flow``, which promptflow's own examples import."""

from flowyard._util.promptflow_names import uncovered_names
from flowyard.client.flow import AsyncFlow
from flowyard.client.flow import StreamingFlow as Flow
from flowyard.client.prompty import AsyncPrompty, Prompty

__all__ = ["AsyncFlow", "AsyncPrompty", "Flow", "Prompty"]
__getattr__ = uncovered_names("promptflow.core._flow")

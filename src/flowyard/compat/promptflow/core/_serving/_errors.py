"""The names of ``promptflow.core._serving._errors`` that code catches."""

from flowyard._util.promptflow_names import uncovered_names
from flowyard.client.exceptions import BadRequest, MissingRequiredFlowInput

__all__ = ["BadRequest", "MissingRequiredFlowInput"]
__getattr__ = uncovered_names("promptflow.core._serving._errors")

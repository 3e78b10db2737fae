"""New flows: complete ones to start from, and flows around code that exists."""

from flowyard.scaffold.new_flow import FLOW_TYPES, new_flow
from flowyard.scaffold.wrap import wrap_function

__all__ = ["FLOW_TYPES", "new_flow", "wrap_function"]

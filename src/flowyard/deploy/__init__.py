"""From a flow to something that runs elsewhere."""

from flowyard.deploy.context import write_context

__all__ = ["write_context"]

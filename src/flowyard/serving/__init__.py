"""A flow as an HTTP service, with the routes, answers and errors of prompt flow's server."""

from flowyard.serving.app import FlowServer, make_service
from flowyard.serving.settings import ServingSettings

__all__ = ["FlowServer", "ServingSettings", "make_service"]

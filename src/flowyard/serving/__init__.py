"""A flow as an HTTP service, with the routes, answers and errors of prompt flow's server."""

from flowyard.serving.app import make_app
from flowyard.serving.settings import ServingSettings

__all__ = ["ServingSettings", "make_app"]

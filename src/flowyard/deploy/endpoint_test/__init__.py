"""Whether an endpoint does what it should: the same checks for every target."""

from flowyard.deploy.endpoint_test.carry_out import require_usable, run_endpoint_test
from flowyard.deploy.endpoint_test.junit import render_junit
from flowyard.deploy.endpoint_test.model import Check, EndpointReport, EndpointTest

__all__ = ["Check", "EndpointReport", "EndpointTest", "render_junit", "require_usable", "run_endpoint_test"]

"""Which requests belong to the experiment."""

from __future__ import annotations

import pytest

from flowyard.gateway.counted import asks_the_flow
from flowyard.wire import Request


@pytest.mark.parametrize(
    ("method", "path", "asks"),
    [
        ("POST", "/score", True),
        ("POST", "/v1/chat/completions", True),
        ("GET", "/score", True),
        ("POST", "/", True),
        ("POST", "/feedback/of/something", True),
        ("POST", "/feedback", False),
        ("PUT", "/feedback", False),
        ("GET", "/health", False),
        ("HEAD", "/health/ready", False),
        ("GET", "/", False),
        ("GET", "/page.js", False),
    ],
)
def test_what_asks_the_flow(method: str, path: str, asks: bool):
    assert asks_the_flow(Request(method, path, "", {})) is asks


def test_the_health_path_of_the_file_does_not_ask_it_either():
    assert asks_the_flow(Request("GET", "/ready", "", {}))
    assert not asks_the_flow(Request("GET", "/ready", "", {}), "/ready")

"""The files that a test names, read before anything is asked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from flowyard.deploy.endpoint_test.model import EndpointTest
from flowyard.errors import UserError

if TYPE_CHECKING:
    from flowyard.deploy.endpoint_test.golden import GoldenCase

__all__ = ["golden_cases", "require_usable", "sample_request"]


def require_usable(test: EndpointTest) -> None:
    """Raises UserError when a file of the test cannot be used."""
    sample_request(test)
    golden_cases(test)


def sample_request(test: EndpointTest) -> Any:
    """The sample request; None without a file. Raises UserError."""
    if test.file is None:
        return None
    try:
        return json.loads(test.file.read_text("utf-8-sig"))
    except (OSError, ValueError) as error:
        raise UserError(f"The sample request {test.file} cannot be read: {error}") from None


def golden_cases(test: EndpointTest) -> tuple[GoldenCase, ...]:
    """The golden cases; none without a file. Raises UserError."""
    if test.golden is None:
        return ()
    from flowyard.deploy.endpoint_test.golden import read_golden  # noqa: PLC0415 - heavy: all evaluators

    return read_golden(test.golden)

"""``flowyard endpoint``"""

from __future__ import annotations

import click

from flowyard.cli.lazy import LazyGroup

__all__ = ["endpoint"]


@click.group(
    cls=LazyGroup,
    places={"test": ("flowyard.cli.endpoint.test:test", "Check that a served flow does what it should.")},
)
def endpoint() -> None:
    """Test a served flow, wherever it is served."""

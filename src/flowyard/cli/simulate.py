"""``flowyard simulate``"""

from __future__ import annotations

from pathlib import Path

import click

from flowyard.simulation.server import run_server

__all__ = ["simulate"]


@click.command()
@click.argument("rules", metavar="RULES")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="The port (default: a free one).")
@click.option("--seed", type=int, help="Replaces the seed of the rules.")
@click.option("--ready-file", metavar="FILE", help="Write the address here once it answers.")
def simulate(rules: str, host: str, port: int, seed: int | None, ready_file: str | None) -> None:
    """Serve a simulated model by the rules in RULES: OpenAI- and Azure-shaped HTTP, deterministic for a seed."""
    run_server(Path(rules), host=host, port=port, seed=seed, ready_file=Path(ready_file) if ready_file else None)

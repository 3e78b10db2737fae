"""Options that say where the workers of a run are: on this machine, or on the nodes of a cluster."""

from __future__ import annotations

import click

from flowyard.cli.shared.option_groups import Command, grouped
from flowyard.errors import UserError
from flowyard.sessions.environments.choice import DEFAULT_KIND
from flowyard.sessions.local import SessionOpener

__all__ = ["backend_options", "open_ray_sessions", "require_fitting"]


def backend_options(command: Command) -> Command:
    """``--backend``, ``--address`` and ``--storage``."""
    return grouped(
        command,
        click.option(
            "--backend",
            type=click.Choice(["local", "ray"]),
            default="local",
            show_default=True,
            help="Where the workers are: on this machine, or on the nodes of a Ray cluster.",
        ),
        click.option(
            "--address",
            metavar="HOST:PORT|auto|local",
            help="The Ray cluster; auto is the running one, local a new one for this command. Without it: either.",
        ),
        click.option(
            "--storage",
            metavar="URL",
            help="Where the workers of a cluster store lines; without it the run's folder, which nodes have to share.",
        ),
    )


def require_fitting(backend: str, session: str, address: str | None, storage: str | None) -> None:
    """Raises UserError for options that do not fit the backend."""
    given = [name for name, value in (("--address", address), ("--storage", storage)) if value is not None]
    if backend == "local" and given:
        raise UserError(f"{given[0]} is of a cluster.", hint="Add --backend ray, or leave it out.")
    if backend != "local" and session != DEFAULT_KIND:
        raise UserError(
            f"--session {session} is for this machine only.",
            hint="Install what the flow requires on the nodes, or leave out --backend.",
        )


def open_ray_sessions(workers: int, address: str | None, storage: str | None) -> SessionOpener:
    """What opens the sessions of a run on a Ray cluster. Raises UserError, and ExtraMissing without Ray."""
    from flowyard.sessions.cluster.session import RaySessions  # noqa: PLC0415 - only runs on a cluster need it

    return RaySessions.checked(workers, address, storage)

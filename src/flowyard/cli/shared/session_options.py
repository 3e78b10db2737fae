"""``--session``: where the code of a flow runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from flowyard.sessions.environments.choice import DEFAULT_KIND, KINDS, SessionChoice
from flowyard.settings import Settings

__all__ = ["session_choice", "session_options"]

F = TypeVar("F", bound=Callable[..., Any])


def session_options(command: F) -> F:
    """``--session``, which ``session_choice`` reads."""
    return click.option(
        "--session",
        type=click.Choice(KINDS),
        default=DEFAULT_KIND,
        show_default=True,
        help="Where flow code runs: this Python, an environment of the flow's own requirements, or a container.",
    )(command)


def session_choice(session: str, settings: Settings) -> SessionChoice:
    """The choice that ``--session`` made; what it has to say goes to stderr, each sentence once."""
    told: set[str] = set()

    def say(text: str) -> None:
        if text not in told:
            told.add(text)
            click.echo(text, err=True)

    return SessionChoice(session, settings.user, say)

"""``flowyard ab serve``"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import click

from flowyard._util.event_loop import loop_factory
from flowyard._util.listen import serve_until_stopped
from flowyard.ab.decision_api import DecisionApi, decision_answer
from flowyard.ab.policy.file import find_policy
from flowyard.ab.run import Test
from flowyard.app import open_app
from flowyard.cli.ab.options import evidence_option, open_test
from flowyard.cli.shared.options import read_settings
from flowyard.errors import UserError

__all__ = ["KEY_VARIABLE", "serve"]

KEY_VARIABLE = "FLOWYARD_AB_KEY"
"""The variable with the key that every request has to have."""


@click.command()
@click.argument("paths", metavar="USECASE…", nargs=-1, required=True)
@evidence_option
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8903, show_default=True, help="0 takes a free one.")
@click.option(
    "--fresh-s",
    type=click.FloatRange(1, 3600),
    default=15.0,
    show_default=True,
    metavar="S",
    help=("How long an answer is given to everybody before the evidence is read again."),
)
@click.option("--ready-file", metavar="FILE", help="Write the address here once it answers.")
@click.option("--home", metavar="DIR", help="Where runs are kept (default: .flowyard at the project's root).")
def serve(
    paths: tuple[str, ...],
    evidence: tuple[str, ...],
    host: str,
    port: int,
    fresh_s: float,
    ready_file: str | None,
    home: str | None,
) -> None:
    """Answer what would be decided of the tests of USECASEs, at /v1/ab/EXPERIMENT/decision; changes nothing.

    Every request needs the key in FLOWYARD_AB_KEY, as a bearer token.
    """
    looks: dict[str, Callable[[], Mapping[str, Any]]] = {}
    for path in paths:
        experiment = find_policy(Path(path)).experiment
        if experiment in looks:
            raise UserError(f"Two tests are of the experiment {experiment}.", hint="Serve them on two ports.")
        looks[experiment] = _Look(path, home, evidence)
    key = _key(Path(paths[0]), home)
    made = partial(_served, key, looks, fresh_s, host, port, Path(ready_file) if ready_file else None)
    with contextlib.suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(made())


async def _served(
    key: str,
    looks: Mapping[str, Callable[[], Mapping[str, Any]]],
    fresh_s: float,
    host: str,
    port: int,
    ready_file: Path | None,
) -> None:
    say = "Decisions at {}/v1/ab/EXPERIMENT/decision. Ctrl-C stops.".format
    await serve_until_stopped(DecisionApi(key, looks, fresh_s), host, port, say=say, ready_file=ready_file)


class _Look:
    """Opens the test when it is first looked at, in the thread that looks."""

    def __init__(self, path: str, home: str | None, evidence: tuple[str, ...]) -> None:
        self._path, self._home, self._evidence = path, home, evidence
        self._test: Test | None = None

    def __call__(self) -> Mapping[str, Any]:
        if self._test is None:
            self._test = open_test(self._path, self._home, self._evidence)
        return decision_answer(self._test)


def _key(path: Path, home: str | None) -> str:
    """Raises UserError when there is none, or what is no key."""
    key = open_app(read_settings(home), path).environ.get(KEY_VARIABLE, "")
    if not key:
        raise UserError(f"The variable {KEY_VARIABLE} is not set.", hint="Every request has to send what it holds.")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise UserError(f"The variable {KEY_VARIABLE} holds no key: a key is one word of ASCII.")
    return key

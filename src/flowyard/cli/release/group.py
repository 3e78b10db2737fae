"""``flowyard release``"""

from __future__ import annotations

import click

from flowyard.cli.lazy import LazyGroup

__all__ = ["release"]

_COMMANDS = {
    "run": ("flowyard.cli.release.run:run", "Go from the experiment to an approved version; the default."),
    "list": ("flowyard.cli.release.look:list_", "List releases, newest first."),
    "show": ("flowyard.cli.release.look:show", "Show the steps of a release."),
}


class _Release(LazyGroup):
    """``release USECASE`` is ``release run USECASE``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in _COMMANDS and args[0] not in ctx.help_option_names:
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Release, places=_COMMANDS)
def release() -> None:
    """Experiment, gates, registration and approval in one go, for one environment.

    flowyard release USECASE --env dev
    """

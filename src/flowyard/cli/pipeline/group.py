"""``flowyard pipeline``"""

from __future__ import annotations

import click

from flowyard.cli.lazy import LazyGroup

__all__ = ["pipeline"]

_COMMANDS = {
    "run": ("flowyard.cli.pipeline.run:run", "Go through the stages of a pipeline; the same on a laptop as in CI."),
    "plan": ("flowyard.cli.pipeline.plan:plan", "Say which use cases a change touches, as a matrix for CI."),
    "show": ("flowyard.cli.pipeline.show:show", "Show the stages of a pipeline."),
    "install": ("flowyard.cli.pipeline.install:install", "Install what the flows of use cases require."),
    "validate": ("flowyard.cli.pipeline.validate:validate", "Check all files of a use case, and run its tests."),
    "report": ("flowyard.cli.pipeline.report:report", "Write what the last run of a pipeline came to."),
    "answer": ("flowyard.cli.pipeline.answer:answer", "Write down what people said in a CI system to what was asked."),
    "comment": ("flowyard.cli.pipeline.comment:comment", "Put a report on the pull request, in place of the last one."),
    "generate": ("flowyard.cli.pipeline.generate:generate", "Write the files of a CI system, which call these."),
}


@click.group(cls=LazyGroup, places=_COMMANDS)
def pipeline() -> None:
    """From a pull request to production: stages that are the same on a laptop as in CI.

    flowyard pipeline run pr|dev|prod|post [USECASE...]
    """

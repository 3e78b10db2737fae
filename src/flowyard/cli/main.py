"""The command ``flowyard``: nouns are loaded when they are used, and errors become one screen and an exit code."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import click

from flowyard import __version__
from flowyard._util.ci_commands import without_ci_commands
from flowyard._util.printable import printable_text
from flowyard.cli.lazy import LazyGroup
from flowyard.errors import ExitCode, FlowyardError, OutsideError

__all__ = ["cli", "main"]

_NOUNS = {
    "ab": ("flowyard.cli.ab.group:ab", "Compare two versions in production, and let the better one have the requests."),
    "adopt": ("flowyard.cli.adopt:adopt_", "Take in a flow or a repository that exists."),
    "approval": ("flowyard.cli.approval.group:approval", "Ask people whether a version may be deployed, and answer."),
    "azure": ("flowyard.cli.azure.group:azure", "Check what Azure needs for serving flows, and print what sets it up."),
    "cache": ("flowyard.cli.cache:cache", "Show and clear the answers that are kept."),
    "config": ("flowyard.cli.config:config", "Set and show what holds for all commands."),
    "connection": ("flowyard.cli.connection.group:connection", "Create, change, list, show and delete connections."),
    "dataset": ("flowyard.cli.dataset:dataset", "Keep data under a name, in versions that never change."),
    "deploy": ("flowyard.cli.deploy.group:deploy", "Bring an approved version to where it is served, and back."),
    "endpoint": ("flowyard.cli.endpoint.group:endpoint", "Test a served flow."),
    "evaluation": ("flowyard.cli.evaluation.group:evaluation", "Judge runs, without an experiment."),
    "evaluator": ("flowyard.cli.evaluator:evaluator", "List the evaluators that come with flowyard, and show one."),
    "exec": ("flowyard.cli.exec:exec_", "Run a Python script that imports promptflow."),
    "experiment": (
        "flowyard.cli.experiment.group:experiment",
        "Run variants over datasets, evaluate and compare.",
    ),
    "flow": ("flowyard.cli.flow.group:flow", "Make, test, check, serve and build one flow."),
    "gateway": ("flowyard.cli.gateway:gateway", "One address before deployments: split, mirror, change weights."),
    "image": ("flowyard.cli.image.group:image", "Build images of registered flows."),
    "init": ("flowyard.cli.init:init", "Make a repository for many use cases."),
    "judge": ("flowyard.cli.judge.group:judge", "Check judges against the grades that people gave."),
    "migrate": ("flowyard.cli.migrate:migrate", "Say what of a repository of the GenAIOps template maps to what here."),
    "monitor": ("flowyard.cli.monitor.group:monitor", "Collect, count and export what happened in production."),
    "new": ("flowyard.cli.new:new", "Add a use case to this repository, which runs at once."),
    "pipeline": ("flowyard.cli.pipeline.group:pipeline", "From a pull request to production, stage by stage."),
    "price": ("flowyard.cli.price:price", "Look up what models cost."),
    "registry": ("flowyard.cli.registry.group:registry", "Keep flows in versions, with what is known of each."),
    "release": ("flowyard.cli.release.group:release", "Experiment, gates, registration and approval in one go."),
    "run": ("flowyard.cli.run.group:run", "Run a flow over data, evaluate a run, look at results."),
    "schema": ("flowyard.cli.schema:schema", "JSON schemas of the files that people write, for editors."),
    "session": ("flowyard.cli.session:session", "List and delete the environments that were built for sessions."),
    "setup": ("flowyard.cli.setup.group:setup", "Print what sets a repository up on GitHub or Azure DevOps."),
    "store": ("flowyard.cli.store:store", "Show where records of runs are kept, and bring that up to date."),
    "simulate": ("flowyard.cli.simulate:simulate", "Serve a simulated model over HTTP."),
}


@click.group(
    cls=LazyGroup, places=_NOUNS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, "-v", "--version", message="flowyard %(version)s")
def cli() -> None:
    """Run, evaluate and compare prompt flows, unchanged, on any machine.

    Exit codes: 0 done, 1 finished with failed lines, 2 your input is wrong, 3 a gate said no, 4 not approved,
    5 something outside failed, 70 a bug of flowyard.
    """


def main(args: list[str] | None = None) -> None:
    """Run the command line and exit with its code; SIGTERM ends it as cleanly as Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    words = _without_switches(sys.argv[1:] if args is None else args)
    try:
        code: Any = cli.main(args=words, prog_name="flowyard", standalone_mode=False)
    except click.exceptions.Exit as exit_:
        sys.exit(exit_.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(ExitCode.WRONG_INPUT)
    except FlowyardError as error:
        _say(error)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted.", err=True)
        sys.stdout.flush()
        os._exit(130)  # a tool that is still running in a thread would hold the process
    except BrokenPipeError:
        os._exit(0)  # whoever read our output has enough
    except OSError as error:
        _say(OutsideError.of_system(error))
        sys.exit(ExitCode.OUTSIDE_FAILED)
    except Exception as error:
        _say_bug(error)
        sys.exit(ExitCode.OUR_BUG)
    sys.exit(int(code) if isinstance(code, int) else 0)


def _without_switches(args: list[str]) -> list[str]:
    """The words without ``--verbose`` and ``--debug``, which each command of ``pf`` takes; the latter shows tracebacks.

    What follows ``exec`` belongs to a script.
    """
    if args[:1] == ["exec"]:
        return args
    if "--debug" in args:
        os.environ["FLOWYARD_DEBUG"] = "1"
    return [word for word in args if word not in ("--verbose", "--debug")]


def _say(error: FlowyardError) -> None:
    click.secho("Error: ", fg="red", bold=True, err=True, nl=False)
    click.echo(_shown(str(error)), err=True)
    if error.hint:
        click.echo("\n".join(f"  {line}" for line in _shown(error.hint).splitlines()), err=True)


def _shown(text: str) -> str:
    """What data, a person or a service said in it cannot steer the terminal, or the CI system that reads our log."""
    return without_ci_commands(printable_text(text))


def _say_bug(error: Exception) -> None:
    if os.environ.get("FLOWYARD_DEBUG"):
        raise error
    click.secho("This is a bug of flowyard: ", fg="red", bold=True, err=True, nl=False)
    click.echo(_shown(f"{type(error).__name__}: {error}"), err=True)
    click.echo("  Set FLOWYARD_DEBUG=1 for the traceback, and please report it.", err=True)

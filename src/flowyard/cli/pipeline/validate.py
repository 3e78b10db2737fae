"""``flowyard pipeline validate``"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path

import click

from flowyard._util.files import write_atomic
from flowyard._util.suggest import missing_file_hint
from flowyard.app import App, open_app
from flowyard.approval.policy import read_approval_policy
from flowyard.cli.deploy.options import use_case_name
from flowyard.cli.flow.validate import check_flow
from flowyard.cli.shared.options import read_settings, running_options
from flowyard.cli.shared.output import print_json, user_prints_to_stderr
from flowyard.cli.shared.tables import printable
from flowyard.errors import ExitCode, NotFound, UserError
from flowyard.evaluation.whole_run import eval_functions_flow, has_eval_functions
from flowyard.experiments.connections import ExperimentConnections
from flowyard.experiments.load import find_experiment_file, load_experiment
from flowyard.experiments.model import Experiment
from flowyard.experiments.policy import read_policy, read_racing
from flowyard.pipelines.use_cases.checks import FileCheck, checked, file_checks, junit_of_checks, run_own_tests
from flowyard.registry.open import open_registry

__all__ = ["validate"]


@click.command()
@click.argument("path", metavar="USECASE")
@click.option("--junit", metavar="FILE", help="Write the checks as JUnit XML.")
@running_options
def validate(
    path: str, junit: str | None, home: str | None, env_file: str | None, simulate: str | None, as_json: bool
) -> int:
    """Check experiment.yaml with each overlay, flows, YAML, Python and deployment.yaml, and run the tests in tests/.

    No model is called. Exits 2 when a file is wrong, 1 when only a test failed.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise NotFound(f"There is no use case {path}.", hint=missing_file_hint(folder))
    app = open_app(read_settings(home, env_file, simulate), folder)
    checks: list[FileCheck] = []
    with user_prints_to_stderr():
        for check in _checks(app, folder):
            checks.append(check)
            _print(check)
    if junit is not None:
        write_atomic(Path(junit), junit_of_checks(_name(folder), checks))
    failed = [check.name for check in checks if check.state == "failed"]
    if as_json:
        print_json({"use_case": path, "passed": not failed, "checks": [asdict(check) for check in checks]})
    if failed:
        return ExitCode.FAILED_LINES if failed == ["tests"] else ExitCode.WRONG_INPUT
    return ExitCode.DONE


def _checks(app: App, folder: Path) -> Iterator[FileCheck]:
    """All of them; flows only where the experiment could be read."""
    file = find_experiment_file(folder)
    overlays = sorted(each.stem.split(".", 1)[1] for each in folder.glob(f"{file.stem}.*{file.suffix}"))
    found: dict[Path, Experiment] = {}
    for env in (None, *overlays):
        yield checked(f"experiment{f' ({env})' if env else ''}", partial(_experiment, app, folder, env, found))
    for flow, experiment in sorted(found.items()):
        yield checked(f"flow {flow.name}", partial(_flow, app, flow, experiment))
    yield from file_checks(folder)
    if (tested := run_own_tests(folder)) is not None:
        yield tested


def _experiment(app: App, folder: Path, env: str | None, found: dict[Path, Experiment]) -> None:
    """Read it with an overlay, and note the flows that it runs."""
    experiment = load_experiment(folder, env, resolve_dataset=open_registry(app.settings).resolve)
    read_policy(experiment), read_racing(experiment), read_approval_policy(experiment)
    for flow in (experiment.flow, *(each.flow for each in experiment.evaluators)):
        if flow is not None:
            found.setdefault(flow, experiment)


def _flow(app: App, flow: Path, experiment: Experiment) -> str:
    """Its variants; functions ``eval_*`` of a folder without a flow are only looked for, as they are called by runs."""
    if has_eval_functions(flow):
        return ", ".join(eval_functions_flow(flow, str(flow)).sample_init["functions"])
    declared = [ExperimentConnections(experiment, app.environ)]
    return ", ".join(asyncio.run(check_flow(app, flow, {}, declared)))


def _name(folder: Path) -> str:
    try:
        return use_case_name(folder)
    except UserError:
        return folder.resolve().name


def _print(check: FileCheck) -> None:
    mark, colour = ("✓", "green") if check.state == "passed" else ("✗", "red")
    text = printable(f"{mark} {check.name}{f': {check.message}' if check.message else ''}")
    click.secho(text, fg=colour, err=True)

"""``flowyard pipeline generate``"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path

import click

from flowyard._util.ci_commands import without_ci_commands
from flowyard._util.printable import printable_text
from flowyard.cli.shared.output import print_json
from flowyard.errors import ExitCode
from flowyard.pipelines.generate import SETTINGS_FILE, CiFile, CiSettings, read_ci_settings
from flowyard.pipelines.generate.write import Drift, find_drift, marked, unified_diff, write_files
from flowyard.pipelines.use_cases.find import repository_root

__all__ = ["SYSTEMS", "ci_drift", "generate"]

SYSTEMS = {"github": "github", "azure-devops": "azure_devops", "jenkins": "jenkins"}


@click.command()
@click.argument("system", type=click.Choice(list(SYSTEMS)))
@click.option("--check", is_flag=True, help="Write nothing; exit 3 with a diff when files differ.")
@click.option("--print", "prints", is_flag=True, help="Write nothing; print the files.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON value on stdout.")
def generate(system: str, check: bool, prints: bool, as_json: bool) -> int:
    """Write the files of a CI system, which call the stages of the pipelines; only files of its own are changed.

    What holds for the repository is said in pipelines.yaml at its root; without it, defaults hold.
    """
    root = repository_root(Path.cwd())
    settings = read_ci_settings(root)
    files = marked(system, _files(system, settings), settings)
    if prints:
        _print_files(files, as_json=as_json)
        return ExitCode.DONE
    drift = find_drift(root, system, files)
    if not check:
        write_files(root, drift)
    if as_json:
        changed = [str(each.path) for each in drift]
        print_json({"system": system, "files": [str(file.path) for file in files], "changed": changed})
    elif check:
        click.echo(without_ci_commands(printable_text(unified_diff(drift))), nl=False)
    else:
        for each in drift:
            click.echo(f"{each.path}: {'written' if each.wanted is not None else 'removed'}")
    if not drift:
        click.echo(f"{len(files)} files are as {SETTINGS_FILE} and the pipelines say.", err=True)
    elif check:
        differ = "1 file differs" if len(drift) == 1 else f"{len(drift)} files differ"
        click.echo(f"{differ}. Write them: flowyard pipeline generate {system}", err=True)
    return ExitCode.GATE_NO if check and drift else ExitCode.DONE


def ci_drift(root: Path, system: str) -> Sequence[Drift]:
    """What differs of a CI system's files in a repository. Raises Conflict where one of them is not of flowyard."""
    settings = read_ci_settings(root)
    return find_drift(root, system, marked(system, _files(system, settings), settings))


def _files(system: str, settings: CiSettings) -> list[CiFile]:
    package = importlib.import_module(f"flowyard.pipelines.generate.{SYSTEMS[system]}")
    made: list[CiFile] = package.files(settings)
    return made


def _print_files(files: list[CiFile], *, as_json: bool) -> None:
    if as_json:
        print_json({str(file.path): file.text for file in files})
        return
    for file in files:
        click.echo(f"# --- {file.path}\n{file.text}")

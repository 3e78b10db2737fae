"""``flowyard pipeline install``"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import click

from flowyard import __version__
from flowyard._util.ci_commands import without_ci_commands
from flowyard._util.printable import printable_text
from flowyard.cli.pipeline.options import named_use_cases
from flowyard.errors import OutsideError
from flowyard.pipelines.use_cases.packages import PYTEST, Packages, has_tests, required_packages

__all__ = ["install"]


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="USECASE...")
@click.option("--print", "prints", is_flag=True, help="Install nothing; print the requirements.")
def install(paths: Sequence[str], prints: bool) -> None:
    """Install what the flows of use cases require, and pytest for their tests, into the Python that runs flowyard.

    Read are each requirements.txt of a use case, and what its flows name instead; prompt flow's packages are left out.
    """
    use_cases = [each for each in named_use_cases(paths) if each.problem is None]  # its own run says what it is
    needed = [PYTEST] if any(has_tests(each.path) for each in use_cases) else []
    for root in dict.fromkeys(each.root for each in use_cases):
        found = required_packages(root, [each.folder for each in use_cases if each.root == root])
        if prints:
            for line in found.with_packages(needed).shown():
                click.echo(without_ci_commands(printable_text(line)))
            continue
        missing = [] if find_spec("pytest") is not None else needed
        _install(found.with_packages(missing))


def _install(wanted: Packages) -> None:
    if not wanted.packages:
        click.echo("Nothing is required beside flowyard.", err=True)
        return
    click.echo(without_ci_commands(printable_text(f"Installing {', '.join(wanted.shown())}")), err=True)
    hashed = [line for line in wanted.packages if "--hash" in line]  # pip takes no others beside them
    plain = [line for line in wanted.packages if line not in hashed]
    own = f"flowyard=={__version__}"  # which is here, so that its own requirements hold, too
    for lines in (hashed, [*plain, own] if plain else []):
        if lines and _pip([*wanted.options, *lines], wanted.constraints) != 0:
            hint = "The lines above say why. Flows of one use case share a Python: their versions have to agree."
            raise OutsideError("pip could not install what the flows require.", hint=f"{hint}\n{_named(wanted)}")


def _pip(lines: Sequence[str], constraints: Sequence[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        requirements, limits = Path(folder, "requirements.txt"), Path(folder, "constraints.txt")
        requirements.write_text("\n".join(lines) + "\n", "utf-8")
        limits.write_text("\n".join(constraints) + "\n", "utf-8")
        words = ["--quiet", "--no-input", "--disable-pip-version-check", "--progress-bar", "off"]
        files = ["--requirement", str(requirements), "--constraint", str(limits)]
        return _run([sys.executable, "-P", "-m", "pip", "install", *words, *files])


def _named(wanted: Packages) -> str:
    return ", ".join(str(file) for file in wanted.files)


def _run(command: Sequence[str]) -> int:
    """Its exit code; what it says goes on to stderr, where no line is a command to a CI system."""
    with subprocess.Popen(  # noqa: S603 - our own words
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    ) as process:
        for line in process.stdout or ():
            click.echo(without_ci_commands(printable_text(line.rstrip("\n"))), err=True)
    return process.returncode

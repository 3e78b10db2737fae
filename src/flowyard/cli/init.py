"""``flowyard init``"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from flowyard import __version__
from flowyard._util.git import ask_git
from flowyard.cli.pipeline.generate import SYSTEMS, ci_drift
from flowyard.cli.shared.output import print_json
from flowyard.pipelines.generate.write import write_files
from flowyard.scaffold import NewRepository, new_repository, repository_files
from flowyard.schemas import SCHEMAS, schema_files

__all__ = ["init"]


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option("--keep", is_flag=True, help="Leave files that are there as they are, and write the others.")
@click.option("--force", multiple=True, metavar="FILE", help="Overwrite this file; repeatable.")
@click.option(
    "--ci", type=click.Choice([*SYSTEMS, "none"]), default="github", show_default=True, help="Whose CI files."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON value on stdout.")
def init(folder: Path, keep: bool, force: tuple[str, ...], ci: str, as_json: bool) -> None:
    """Make a repository for many use cases in DIR, or make one of the repository that is there.

    Writes a README, settings of editors with schemas of our YAML files, a dev container, pinned requirements, and the
    files of a CI system as `pipeline generate` does. No file that is there is overwritten.
    """
    patterns = {f"{each.name}.json": each.names for each in SCHEMAS}
    files = repository_files(__version__, schema_files(), patterns)
    drift = [each for each in ([] if ci == "none" else ci_drift(folder, ci)) if each.here is None]
    made = new_repository(folder, files, force=force, keep=keep)
    write_files(folder, drift)
    written = [*made.written, *(made.folder / each.path for each in drift)]
    if as_json:
        print_json({"folder": str(folder), "written": list(map(str, written)), "kept": made.kept})
    else:
        _print(made, written)


def _print(made: NewRepository, written: Sequence[Path]) -> None:
    for file in written:
        click.echo(f"Wrote {file}")
    for name in made.kept:
        click.echo(f"Kept {made.folder / name}")
    if not written:
        click.echo("Everything is there already.")
    if ".gitignore" in made.kept:
        click.echo("Its .gitignore should name: .env  .flowyard/*  !.flowyard/schemas/")
    is_here = made.folder.resolve() == Path.cwd()
    if ask_git(made.folder, "rev-parse", "--show-toplevel") is None:
        click.echo("Next: git init -b main" if is_here else f"Next: git -C {made.folder} init -b main")
    enter = "" if is_here else f"cd {made.folder} && "
    click.echo(f"Next: {enter}flowyard new NAME --template classification")

"""``flowyard init``"""

from __future__ import annotations

from pathlib import Path

import click

from flowyard import __version__
from flowyard._util.git import ask_git
from flowyard.cli.shared.output import print_json
from flowyard.scaffold import NewRepository, new_repository, repository_files
from flowyard.schemas import SCHEMAS, schema_files

__all__ = ["init"]


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option("--keep", is_flag=True, help="Leave files that are there as they are, and write the others.")
@click.option("--force", multiple=True, metavar="FILE", help="Overwrite this file; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON value on stdout.")
def init(folder: Path, keep: bool, force: tuple[str, ...], as_json: bool) -> None:
    """Make a repository for many use cases in DIR, or make one of the repository that is there.

    Writes a README, settings of editors with schemas of our YAML files, a dev container and pinned requirements.
    No file that is there is overwritten.
    """
    patterns = {f"{each.name}.json": each.names for each in SCHEMAS}
    files = repository_files(__version__, schema_files(), patterns)
    made = new_repository(folder, files, force=force, keep=keep)
    if as_json:
        print_json({"folder": str(folder), "written": list(map(str, made.written)), "kept": made.kept})
    else:
        _print(made)


def _print(made: NewRepository) -> None:
    for file in made.written:
        click.echo(f"Wrote {file}")
    for name in made.kept:
        click.echo(f"Kept {made.folder / name}")
    if not made.written:
        click.echo("Everything is there already.")
    if ".gitignore" in made.kept:
        click.echo("Its .gitignore should name: .env  .flowyard/*  !.flowyard/schemas/")
    is_here = made.folder.resolve() == Path.cwd()
    if ask_git(made.folder, "rev-parse", "--show-toplevel") is None:
        click.echo("Next: git init -b main" if is_here else f"Next: git -C {made.folder} init -b main")
    enter = "" if is_here else f"cd {made.folder} && "
    click.echo(f"Next: {enter}flowyard new NAME --template classification")

"""What the commands of ``flowyard pipeline`` have in common: which pipeline, which use cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from flowyard.cli.deploy.options import use_case_name
from flowyard.cli.shared.output import print_warnings
from flowyard.deploy.config.read import has_environment
from flowyard.errors import NotFound, UserError
from flowyard.pipelines.model import Pipeline
from flowyard.pipelines.stages import PIPELINES
from flowyard.pipelines.use_cases.changes import read_changes
from flowyard.pipelines.use_cases.find import EXPERIMENT_FILE, find_use_cases, repository_root, require_plain
from flowyard.pipelines.use_cases.footprint import footprint
from flowyard.pipelines.use_cases.touched import Touched, touched_use_cases

__all__ = ["UseCase", "chosen_use_cases", "pipeline_argument", "touched_by"]


@dataclass(frozen=True, slots=True)
class UseCase:
    """A use case: its name, its folder relative to ``root``, and ``path``, as commands get it."""

    name: str
    folder: str
    root: Path

    @property
    def path(self) -> Path:
        return self.root / self.folder

    @property
    def shown(self) -> str:
        """The path from here, where that is shorter."""
        here = Path.cwd()
        return str(self.path.relative_to(here)) if self.path.is_relative_to(here) else str(self.path)


def _found(_context: click.Context, _parameter: click.Parameter, value: str) -> Pipeline:
    return PIPELINES[value]


pipeline_argument = click.argument("pipeline", type=click.Choice(list(PIPELINES)), callback=_found)


def chosen_use_cases(pipeline: Pipeline, paths: Sequence[str], since: str | None) -> Sequence[UseCase]:
    """Those that were named; else those that changed since a revision; else all below the repository's top.

    Of those that were not named, production takes what ``deployment.yaml`` sends there. Raises UserError, NotFound.
    """
    if paths and since is not None:
        raise UserError("Name use cases, or --changed-since, not both.")
    root = repository_root(Path.cwd())
    if paths:
        return _distinct([_named(Path(path), root) for path in paths])
    if since is not None:
        return [use_case for use_case, _ in touched_by(pipeline, root, since)]
    return _of_pipeline(pipeline, root, find_use_cases(root))


def touched_by(pipeline: Pipeline, root: Path, since: str) -> Sequence[tuple[UseCase, str | None]]:
    """The use cases that a change touches, each with the path because of which it is."""
    changes = read_changes(root, since)
    known = find_use_cases(root)
    if changes.deleted:
        shown = ", ".join(ascii(each) for each in changes.deleted)
        print_warnings([f"Not there any more, and left out: {shown}. What is deployed of them serves on."])
    if changes.everything:
        touched: Sequence[Touched] = [Touched(each, None) for each in known]
    else:
        footprints = {each: footprint(root, each) for each in known}
        touched = touched_use_cases(footprints, changes.paths, changes.deleted)
    because = {each.use_case: each.because for each in touched}
    require_plain(because)
    return [(each, because[each.folder]) for each in _of_pipeline(pipeline, root, list(because))]


def _of_pipeline(pipeline: Pipeline, root: Path, folders: Sequence[str]) -> Sequence[UseCase]:
    found = [UseCase(use_case_name(root / folder), folder, root) for folder in folders]
    if pipeline.takes_version is not None or pipeline.trigger == "schedule":
        found = [each for each in found if has_environment(each.path, pipeline.env)]
    return _distinct(found)


def _named(path: Path, root: Path) -> UseCase:
    folder = path.parent if path.name == EXPERIMENT_FILE else path
    if not (folder / EXPERIMENT_FILE).is_file():
        raise NotFound(f"There is no use case {path}.", hint="Name a folder with experiment.yaml.")
    folder = folder.resolve()
    top = root if folder.is_relative_to(root) else folder
    return UseCase(use_case_name(folder), folder.relative_to(top).as_posix(), top)


def _distinct(found: Sequence[UseCase]) -> Sequence[UseCase]:
    """Raises UserError when two have one name: they would be registered as one."""
    known: dict[str, UseCase] = {}
    for each in found:
        other = known.setdefault(each.name, each)
        if other.folder != each.folder:
            raise UserError(
                f"Two use cases are called {each.name!r}: {other.folder} and {each.folder}.",
                hint="Change 'name' in one experiment.yaml.",
            )
    return list(known.values())

"""What the commands of ``flowyard pipeline`` have in common: which pipeline, which use cases."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from flowyard._util.suggest import missing_file_hint
from flowyard.cli.deploy.options import use_case_name
from flowyard.cli.shared.output import path_from_here, print_warnings
from flowyard.deploy.config.read import has_environment
from flowyard.errors import NotFound, UserError
from flowyard.pipelines.generate import read_ci_settings
from flowyard.pipelines.model import Pipeline
from flowyard.pipelines.stages import PIPELINES
from flowyard.pipelines.use_cases.changes import read_changes
from flowyard.pipelines.use_cases.find import EXPERIMENT_FILE, find_use_cases, repository_root, require_plain
from flowyard.pipelines.use_cases.footprint import footprint
from flowyard.pipelines.use_cases.touched import Touched, touched_use_cases

__all__ = ["UseCase", "chosen_use_cases", "may_have_environment", "named_use_cases", "pipeline_argument", "touched_by"]

_LONGEST = 80


@dataclass(frozen=True, slots=True)
class UseCase:
    """A use case: its name, its folder relative to ``root``, and ``path``, as commands get it.

    ``is_named`` is false where ``experiment.yaml`` cannot be read, and so says no name.
    """

    name: str
    folder: str
    root: Path
    is_named: bool = True

    @property
    def path(self) -> Path:
        return self.root / self.folder

    @property
    def shown(self) -> str:
        """The path from here, where that is shorter; never one that a command takes for an option."""
        shown = path_from_here(self.path)
        return f"./{shown}" if shown.startswith("-") else shown


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
        return named_use_cases(paths)
    if since is not None:
        return [use_case for use_case, _ in touched_by(pipeline, root, since)]
    return _of_pipeline(pipeline, root, _all(root))


def named_use_cases(paths: Sequence[str]) -> Sequence[UseCase]:
    """The use cases at these paths, each once. Raises NotFound, UserError."""
    root = repository_root(Path.cwd())
    return _distinct([_named(Path(path), root) for path in paths])


def touched_by(pipeline: Pipeline, root: Path, since: str) -> Sequence[tuple[UseCase, str | None]]:
    """The use cases that a change touches, each with the path because of which it is."""
    changes = read_changes(root, since)
    known = _all(root)
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


def _all(root: Path) -> Sequence[str]:
    settings = read_ci_settings(root)
    return find_use_cases(root, settings.use_cases, settings.leave_out)


def _of_pipeline(pipeline: Pipeline, root: Path, folders: Sequence[str]) -> Sequence[UseCase]:
    found = [_use_case(root, folder) for folder in folders]
    if pipeline.takes_version is not None or pipeline.trigger == "schedule":
        found = [each for each in found if may_have_environment(each, pipeline.env)]
    return _distinct(found)


def may_have_environment(use_case: UseCase, env: str) -> bool:
    """Whether ``deployment.yaml`` sends it there, or cannot be read: then that is what its own run says."""
    try:
        return has_environment(use_case.path, env)
    except UserError:
        return True


def _use_case(root: Path, folder: str) -> UseCase:
    """One whose name cannot be read is called after its folder: it fails by itself, and holds up no other."""
    try:
        return UseCase(use_case_name(root / folder), folder, root)
    except UserError:
        own = re.sub(r"[^A-Za-z0-9._-]+", "_", (root / folder).name).strip("._-")[:_LONGEST] or "unnamed"
        return UseCase(own, folder, root, is_named=False)


def _named(path: Path, root: Path) -> UseCase:
    folder = path.parent if path.name == EXPERIMENT_FILE else path
    if not (folder / EXPERIMENT_FILE).is_file():
        hint = "Name a folder with experiment.yaml." if folder.is_dir() else missing_file_hint(folder)
        raise NotFound(f"There is no use case {path}.", hint=hint)
    folder = folder.resolve()
    top = root if folder.is_relative_to(root) else folder
    return _use_case(top, folder.relative_to(top).as_posix())


def _distinct(found: Sequence[UseCase]) -> Sequence[UseCase]:
    """Raises UserError when two have one name: they would be registered as one."""
    known: dict[str, UseCase] = {}
    for each in sorted(found, key=lambda each: not each.is_named):
        name = each.name
        while not each.is_named and name in known:  # it is none of theirs
            name += "_"
        other = known.setdefault(name, replace(each, name=name))
        if other.folder != each.folder:
            raise UserError(
                f"Two use cases are called {each.name!r}: {other.folder} and {each.folder}.",
                hint="Change 'name' in one experiment.yaml.",
            )
    order = {each.folder: place for place, each in reversed(list(enumerate(found)))}
    return sorted(known.values(), key=lambda each: order[each.folder])

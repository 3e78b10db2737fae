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
from flowyard.pipelines.generate import SETTINGS_FILE, read_ci_settings
from flowyard.pipelines.model import Pipeline
from flowyard.pipelines.stages import PIPELINES
from flowyard.pipelines.use_cases.changes import read_changes
from flowyard.pipelines.use_cases.find import (
    EXPERIMENT_FILE,
    find_use_cases,
    folder_for_ci,
    is_plain,
    repository_root,
)
from flowyard.pipelines.use_cases.footprint import footprint
from flowyard.pipelines.use_cases.touched import Touched, touched_use_cases

__all__ = [
    "UseCase",
    "chosen_use_cases",
    "may_have_environment",
    "named_use_cases",
    "pipeline_argument",
    "refused_by_ci",
    "touched_by",
]

_LONGEST = 80


@dataclass(frozen=True, slots=True)
class UseCase:
    """A use case: its name, its folder relative to ``root``, and ``path``, as commands get it.

    ``is_named`` is false where ``experiment.yaml`` cannot be read, and so says no name. ``problem`` is why it cannot be
    run at all, as long as it is like this: it fails alone, under a name that no other has.
    """

    name: str
    folder: str
    root: Path
    is_named: bool = True
    problem: UserError | None = None

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
    """The use cases at these paths, each once; as CI systems got them, too. Raises NotFound, UserError."""
    root = repository_root(Path.cwd())
    named = {each.path: each for each in (_named(Path(path), root) for path in paths)}
    others = [each for each in _others(root) if each.path not in named]
    return [each for each in _told_apart([*named.values(), *others]) if each.path in named]


def refused_by_ci(use_case: UseCase) -> UseCase:
    """The use case; with a problem where its folder cannot go through CI systems and shells as it is."""
    if is_plain(use_case.folder):
        return use_case
    problem = UserError(
        f"CI systems and shells may take the name of this folder for something else: {use_case.folder!a}.",
        hint="Rename it: letters, digits, dots, dashes and underscores, no dash first.",
    )
    return replace(use_case, problem=problem)


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
    chosen = [each for each in _of_pipeline(pipeline, root, known) if each.folder in because]
    return [(refused_by_ci(each), because[each.folder]) for each in chosen]


def _all(root: Path) -> Sequence[str]:
    """Raises NotFound for a folder that is not there: with one misspelt, a pull request would pass unchecked."""
    settings = read_ci_settings(root)
    if not (root / settings.use_cases).is_dir():
        raise NotFound(f"There is no folder {settings.use_cases}.", hint=f"Correct use_cases in {SETTINGS_FILE}.")
    return find_use_cases(root, settings.use_cases, settings.leave_out)


def _of_pipeline(pipeline: Pipeline, root: Path, folders: Sequence[str]) -> Sequence[UseCase]:
    found = _told_apart([_use_case(root, folder) for folder in folders])
    if pipeline.takes_version is not None or pipeline.trigger == "schedule":
        found = [each for each in found if may_have_environment(each, pipeline.env)]
    return found


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
        return UseCase(_plain_name((root / folder).name), folder, root, is_named=False)


def _plain_name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip("._-")[:_LONGEST] or "unnamed"


def _named(path: Path, root: Path) -> UseCase:
    folder = path.parent if path.name == EXPERIMENT_FILE else path
    if not (folder / EXPERIMENT_FILE).is_file():
        for each in _all(root):
            if not is_plain(each) and folder_for_ci(each) == path.as_posix():
                return refused_by_ci(_use_case(root, each))
        hint = "Name a folder with experiment.yaml." if folder.is_dir() else missing_file_hint(folder)
        raise NotFound(f"There is no use case {path}.", hint=hint)
    folder = folder.resolve()
    top = root if folder.is_relative_to(root) else folder
    return _use_case(top, folder.relative_to(top).as_posix())


def _others(root: Path) -> Sequence[UseCase]:
    """What else is in the repository; outside of one, a folder may hold anything, and is not looked through."""
    if not (root / ".git").exists():
        return ()
    try:
        return [_use_case(root, each) for each in _all(root)]
    except UserError:  # of pipelines.yaml, which does not have to be read for a use case that was named
        return ()


def _told_apart(found: Sequence[UseCase]) -> Sequence[UseCase]:
    """Each under a name of its own. Those of one name have a problem: they would be registered as one."""
    same: dict[str, list[UseCase]] = {}
    for each in sorted(found, key=lambda each: each.folder):
        same.setdefault(each.name if each.is_named else "", []).append(each)
    nameless = same.pop("", [])
    apart = {users[0].path: users[0] for users in same.values() if len(users) == 1}
    twice = [_with_others(each, users) for users in same.values() if len(users) > 1 for each in users]
    taken = set(same)
    for each in [*nameless, *twice]:
        name = each.name if each.problem is None else _plain_name(each.folder)
        while name in taken:
            name += "_"
        taken.add(name)
        apart[each.path] = replace(each, name=name)
    return [apart[each.path] for each in found]


def _with_others(use_case: UseCase, users: Sequence[UseCase]) -> UseCase:
    others = ", ".join(ascii(each.folder)[1:-1] for each in users if each.folder != use_case.folder)
    problem = UserError(
        f"Two use cases are called {use_case.name!r}: {ascii(use_case.folder)[1:-1]} and {others}.",
        hint="Change 'name' in one experiment.yaml, or name a folder that is none in leave_out of pipelines.yaml.",
    )
    return replace(use_case, problem=problem)

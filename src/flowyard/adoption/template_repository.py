"""A repository of the GenAIOps template, where it is: what it gets, what is used as it is, and what is left to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from flowyard.adoption.deployment_file import read_deployments
from flowyard.adoption.model import Adoption, LeftToDo, Mapped
from flowyard.migration import Migration, survey_repository

__all__ = ["plan_repository"]

_HOME = ".flowyard"
_IGNORED = b"# Runs and what is kept between them; schemas are for editors.\n*\n!.gitignore\n!schemas/\n!schemas/*\n"
_LEFT = ("problem", "surprise", "later")


def plan_repository(path: Path) -> Adoption:
    """What the repository gets: a deployment.yaml for each use case that lacks one, and a migration's safe changes.

    Nothing of it is run. Flows, data and code stay as they are. Raises UserError when there is no use case.
    """
    migration = survey_repository(path)
    deployments = [found for case in migration.use_cases if (found := read_deployments(migration.root, case.folder))]
    return Adoption(
        migration.root,
        tuple(case.folder for case in migration.use_cases),
        False,
        {
            **_ignored(migration.root),
            **{PurePosixPath(each.place): each.text.encode() for each in deployments if each.text},
        },
        (*_used(migration), *(mapped for each in deployments for mapped in each.mapped)),
        _once((*_left(migration), *(left for each in deployments for left in each.left))),
        migration,
    )


def _ignored(root: Path) -> dict[PurePosixPath, bytes]:
    """What keeps runs out of the repository, where its own .gitignore does not."""
    own, place = root / ".gitignore", PurePosixPath(_HOME) / ".gitignore"
    said = own.read_text("utf-8", "replace") if own.is_file() else ""
    return {} if _HOME in said or (root / place).exists() else {place: _IGNORED}


def _used(migration: Migration) -> Iterator[Mapped]:
    for case in migration.use_cases:
        for change in case.changes:
            file = change.file.relative_to(migration.root).as_posix()
            for reason in change.reasons:
                yield Mapped(f"{file}:1", reason, f"{file}; before: {change.file.name}.before-migration")
    for found in migration.findings:
        if found.kind not in _LEFT:
            yield Mapped(found.where, found.message, found.advice or "used as it is")


def _left(migration: Migration) -> Iterator[LeftToDo]:
    for found in migration.findings:
        if found.kind in _LEFT and "--write" not in found.advice:  # such a change is made
            yield LeftToDo(found.where, found.message, found.advice)


def _once(left: Iterable[LeftToDo]) -> tuple[LeftToDo, ...]:
    """What two readers say of one place in nearly the same words is said once."""
    kept: dict[tuple[str, str], LeftToDo] = {}
    for each in left:
        kept.setdefault((each.where, each.message.replace("'", "").split(" in ")[0].rstrip(".")), each)
    return tuple(kept.values())

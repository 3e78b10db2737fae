"""Planning an adoption, and carrying it out."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from flowyard._util.suggest import missing_file_hint
from flowyard.adoption.model import Adoption
from flowyard.adoption.one_flow import plan_flow
from flowyard.adoption.template_repository import plan_repository
from flowyard.errors import UserError
from flowyard.migration import find_use_cases, write_migration
from flowyard.scaffold import new_folder, place_files

__all__ = ["adopt", "plan_adoption"]


def plan_adoption(path: Path, root: Path, name: str | None = None) -> Adoption:
    """What adopting the flow or the repository at ``path`` comes to; nothing is written or run.

    A flow becomes a use case below ``root``, under ``name`` or its own; a repository is adopted where it is. Raises
    UserError when there is neither, or when it cannot be read.
    """
    if not path.exists():
        raise UserError(f"There is no file or folder {path}.", hint=missing_file_hint(path))
    if not path.is_dir() or _has_flow(path):
        return plan_flow(path, root, name)
    try:
        find_use_cases(path)
    except UserError:
        raise UserError(f"There is no flow and no use case in {path}.", hint=_flows_below(path)) from None
    if name is not None:
        raise UserError("--name is for a flow; use cases of a repository have their names.", hint="Leave it out.")
    return plan_repository(path)


def adopt(adoption: Adoption) -> list[Path]:
    """Write what was planned, and return the files. Raises Conflict when something is in the way; nothing is lost."""
    if adoption.is_copied:
        (name,) = adoption.use_cases
        inside = {PurePosixPath(*place.parts[1:]): content for place, content in adoption.files.items()}
        return new_folder(adoption.root / name, inside)
    written = place_files(adoption.root, adoption.files, hint="Move them away first.")
    if adoption.migration is not None:
        done = write_migration(adoption.migration, with_page=adoption.migration.is_of_template)
        written += [each.file for each in done]
    return written


def _has_flow(folder: Path) -> bool:
    names = ("flow.dag.yaml", "flow.dag.yml", "flow.flex.yaml", "flow.flex.yml")
    return any((folder / name).is_file() for name in names)


def _flows_below(folder: Path) -> str:
    patterns = (
        "*/flow.dag.yaml",
        "*/*/flow.dag.yaml",
        "*/flow.flex.yaml",
        "*/*/flow.flex.yaml",
        "*.prompty",
        "*/*.prompty",
    )
    found = sorted({file for pattern in patterns for file in folder.glob(pattern)})
    if not found:
        return "A flow has a flow.dag.yaml, a flow.flex.yaml or a .prompty file; a use case has an experiment.yaml."
    places = [file if file.suffix == ".prompty" else file.parent for file in found[:5]]
    return "Adopt one flow after the other:\n" + "\n".join(f"flowyard adopt {place}" for place in places)

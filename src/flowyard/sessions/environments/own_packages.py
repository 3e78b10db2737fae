"""flowyard's own source and what it depends on, made visible to another Python of the same kind."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from flowyard.errors import UserError
from flowyard.sessions.environments.own_source import package_folder
from flowyard.sessions.environments.requirements import Requirements

__all__ = [
    "Package",
    "link_packages",
    "not_met",
    "own_packages",
    "own_requirements",
    "packages_in",
    "require_compatible_pins",
]


@dataclass(frozen=True, slots=True)
class Package:
    """An installed package. ``entries`` are its files and folders at the top of site-packages; None when not known."""

    name: str
    version: str
    requires: tuple[Requirement, ...]
    entries: tuple[Path, ...] | None


def own_requirements(extra: str = "") -> tuple[Requirement, ...]:
    """What flowyard requires, also for an ``extra``: by the pyproject.toml of its checkout, else as it is installed."""
    project = package_folder().parents[1] / "pyproject.toml"
    if package_folder().parent.name == "src" and project.is_file():
        declared = tomllib.loads(project.read_text("utf-8"))["project"]
        listed = [*declared["dependencies"], *declared["optional-dependencies"].get(extra, ())]
        return tuple(Requirement(text) for text in listed)
    return _requires(metadata.distribution("flowyard"), extra)


def own_packages() -> Mapping[str, Package]:
    """Every package that flowyard needs and this Python has, by canonical name."""
    found: dict[str, Package] = {}
    waiting = [requirement.name for requirement in own_requirements()]
    while waiting:
        name = canonicalize_name(waiting.pop())
        distribution = None if name in found else next(iter(metadata.distributions(name=name)), None)
        if distribution:
            found[name] = _package(distribution)
            waiting += [requirement.name for requirement in found[name].requires]
    return found


def packages_in(folder: Path) -> Mapping[str, Package]:
    """The packages installed in a site-packages folder, by canonical name."""
    return {canonicalize_name(each.name): _package(each) for each in metadata.distributions(path=[str(folder)])}


def not_met(packages: Mapping[str, Package]) -> list[str]:
    """Why flowyard would not work with these packages: one sentence for each requirement that is not met."""
    found: list[str] = []
    waiting = [("flowyard", requirement) for requirement in own_requirements()]
    seen: set[str] = set()
    while waiting:
        by, requirement = waiting.pop()
        package = packages.get(canonicalize_name(requirement.name))
        if package is None or not requirement.specifier.contains(package.version, prereleases=True):
            there = f"{package.version} is there" if package else "it is missing"
            found.append(f"{by} needs {requirement.name}{requirement.specifier}, and {there}")
        elif package.name not in seen:
            seen.add(package.name)
            waiting += [(package.name, each) for each in package.requires]
    return sorted(set(found))


def require_compatible_pins(requirements: Requirements) -> None:
    """Raises UserError, with file and line, when a version that the flow pins is not one that flowyard can use."""
    needed = {canonicalize_name(each.name): each for each in own_requirements()}
    for entry in (*requirements.packages, *requirements.constraints):
        own = needed.get(canonicalize_name(entry.requirement.name)) if entry.requirement else None
        for pin in entry.requirement.specifier if entry.requirement and own else ():
            exact = pin.operator in ("==", "===") and not pin.version.endswith(".*")
            if own and exact and not own.specifier.contains(pin.version, prereleases=True):
                raise UserError(
                    f"The flow pins {own.name}{pin}, but flowyard, which runs it, needs {own.name}{own.specifier}.",
                    hint="Pin another version, or leave the pin out.",
                    where=entry.where,
                )


def link_packages(packages: Iterable[Package], target: Path) -> bool:
    """Show these packages and flowyard itself in the folder ``target``; False when a package's files are not known.

    Where the system has no symbolic links for users, files are copied.
    """
    entries = [package.entries for package in packages]
    known = [each for each in entries if each is not None]
    if len(known) < len(entries):
        return False
    target.mkdir(parents=True)
    for entry in dict.fromkeys([package_folder(), *(path for paths in known for path in paths)]):
        _link(entry, target / entry.name)
    return True


def _link(source: Path, target: Path) -> None:
    try:
        target.symlink_to(source, target_is_directory=source.is_dir())
    except OSError:
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy2(source, target)


def _package(distribution: metadata.Distribution) -> Package:
    return Package(
        canonicalize_name(distribution.name), distribution.version, _requires(distribution), _entries(distribution)
    )


def _requires(distribution: metadata.Distribution, extra: str = "") -> tuple[Requirement, ...]:
    """What a package requires on this platform, of its extras only for that one, which is not named any more then."""
    listed = [Requirement(text) for text in distribution.requires or ()]
    kept = [each for each in listed if each.marker is None or each.marker.evaluate({"extra": extra})]
    for each in kept:
        if each.marker is not None and not each.marker.evaluate({"extra": ""}):
            each.marker = None
    return tuple(kept)


def _entries(distribution: metadata.Distribution) -> tuple[Path, ...] | None:
    """Where a package's modules are; None for one that is only pointed to, as editable installs are."""
    names = {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}
    paths = [Path(str(distribution.locate_file(name))) for name in sorted(names)]
    modules = [path for path in paths if path.suffix not in (".pth", ".dist-info", ".egg-info")]
    return tuple(paths) if modules and all(path.exists() for path in paths) else None

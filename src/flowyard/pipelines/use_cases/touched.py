"""Which use cases a change touches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import PurePosixPath

__all__ = ["Touched", "is_for_all", "touched_use_cases"]

_FOLDERS_FOR_ALL = ("requirements/", "connections/", ".github/", ".azure-pipelines/", ".azuredevops/")
_ENDINGS_FOR_ALL = frozenset({".toml", ".lock", ".cfg", ".ini", ".yaml", ".yml", ".py"})
_STARTS_FOR_ALL = ("requirements", "constraints", "Dockerfile", "Jenkinsfile", "Pipfile", ".python-version")


@dataclass(frozen=True, slots=True)
class Touched:
    """A use case and the changed path because of which it runs; None when that is for another reason."""

    use_case: str
    because: str | None


def is_for_all(path: str) -> bool:
    """Whether a path outside of all use cases may change what every one of them does.

    These are files of dependencies and settings at the top, such as a lock, and folders of requirements, of connections
    and of CI.
    """
    if path.startswith(_FOLDERS_FOR_ALL):
        return True
    return "/" not in path and (path.startswith(_STARTS_FOR_ALL) or PurePosixPath(path).suffix in _ENDINGS_FOR_ALL)


def touched_use_cases(
    footprints: Mapping[str, Set[str]], changed: Iterable[str], gone: Sequence[str] = ()
) -> Sequence[Touched]:
    """The use cases whose footprint has a changed path, sorted; all of them for one that is for all.

    ``footprints`` are folders and files by use case. Python outside of all footprints may be imported by any flow, but
    not that of use cases which are ``gone``.
    """
    paths = sorted(set(changed))
    for_all = next((path for path in paths if _is_for_all(path, footprints, gone)), None)
    found = []
    for use_case in sorted(footprints):
        own = next((path for path in paths if any(_meets(path, each) for each in footprints[use_case])), None)
        because = own if own is not None else for_all
        if because is not None:
            found.append(Touched(use_case, because))
    return found


def _is_for_all(path: str, footprints: Mapping[str, Set[str]], gone: Sequence[str]) -> bool:
    inside = any(_meets(path, each) for known in footprints.values() for each in known if each != ".")
    if inside or any(_meets(path, each) for each in gone):
        return False
    is_code = path.endswith(".py") and not path.startswith(("docs/", "tests/", "test/"))
    return is_code or is_for_all(path)


def _meets(path: str, known: str) -> bool:
    """A changed path is a file, a link or a submodule: of the last two, what lies below them may be another thing."""
    return known in (".", path) or path.startswith(f"{known}/") or known.startswith(f"{path}/")

"""The packages that a use case needs beside flowyard: what its flows require, and pytest for its own tests.

Flows, evaluators and tests of a use case run in one Python. In CI that is the one of its job, as in the pipelines of
the GenAIOps template, so that two use cases may require what does not go together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowyard._util.yamlfile import read_yaml
from flowyard.errors import FlowyardError
from flowyard.pipelines.use_cases.footprint import footprint, iter_kept
from flowyard.sessions.environments.requirements import Entry, read_requirements, without_password

__all__ = ["PYTEST", "Packages", "has_tests", "required_packages"]

PYTEST = "pytest==9.2.0"
"""What new repositories have in their requirements, too."""

_USUAL = "requirements.txt"
_FLOW_FILES = ("flow.dag.yaml", "flow.dag.yml", "flow.flex.yaml", "flow.flex.yml")


@dataclass(frozen=True, slots=True)
class Packages:
    """Lines for pip: ``packages`` and ``options`` are requirements, ``constraints`` only limit versions.

    ``files`` are those that were read.
    """

    files: tuple[Path, ...]
    options: tuple[str, ...]
    packages: tuple[str, ...]
    constraints: tuple[str, ...]

    def shown(self) -> Sequence[str]:
        """The packages for a person, without passwords."""
        return [without_password(line) for line in self.packages]

    def with_packages(self, more: Iterable[str]) -> Packages:
        """These and others."""
        return Packages(self.files, self.options, tuple(dict.fromkeys((*self.packages, *more))), self.constraints)


def required_packages(root: Path, use_cases: Iterable[str]) -> Packages:
    """What flows of the use cases require, by every ``requirements.txt`` and every file that a flow names instead.

    ``use_cases`` are folders relative to ``root``; files that they lead to count. What flowyard stands in for is left
    out. Raises UserError for a line that pip would refuse.
    """
    root = root.resolve()
    files = sorted({file for each in use_cases for place in footprint(root, each) for file in _files(root / place)})
    read = [read_requirements(file) for file in files]
    return Packages(
        tuple(files),
        _lines(entry for each in read for entry in each.options),
        _lines(entry for each in read for entry in each.packages),
        _lines(entry for each in read for entry in each.constraints),
    )


def has_tests(folder: Path) -> bool:
    """Whether the use case has tests of its own."""
    return any((folder / "tests").glob("**/test_*.py"))


def _lines(entries: Iterable[Entry]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(entry.render() for entry in entries))


def _files(place: Path) -> Iterator[Path]:
    if not place.exists():
        return
    for file in iter_kept(place):
        if file.name == _USUAL and file.is_file():
            yield file.resolve()
        elif file.name in _FLOW_FILES and (named := _named(file)) is not None:
            yield named.resolve()


def _named(flow: Path) -> Path | None:
    """The requirements that a flow's file names; what cannot be read fails where it is checked."""
    try:
        body: Any = read_yaml(flow).data
    except FlowyardError:
        return None
    environment = body.get("environment") if isinstance(body, dict) else None
    name = environment.get("python_requirements_txt") if isinstance(environment, dict) else None
    file = flow.parent / str(name) if name else None
    return file if file is not None and file.is_file() else None

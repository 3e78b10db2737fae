"""What was found in a repository: findings of each use case, and of what they share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["KINDS", "Change", "Finding", "FindingKind", "Migration", "UseCase", "counted"]

FindingKind = Literal["works", "replaced", "surprise", "problem", "later"]

KINDS: dict[FindingKind, str] = {
    "problem": "has to be changed before it works",
    "surprise": "did something else in the template than it says, or does something else here",
    "later": "not yet carried over",
    "replaced": "is done by a command or a file here",
    "works": "is used as it is",
}
"""What each kind of finding means, the most urgent first."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found. ``file`` is relative to the repository, ``line`` 1-based; ``advice`` is the next step.

    The value of a secret never is in it.
    """

    kind: FindingKind
    file: str
    line: int
    message: str
    advice: str = ""

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Change:
    """A file of the repository as it should read; everything that it does, it did before."""

    file: Path
    before: str
    after: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UseCase:
    """One folder with an ``experiment.yaml``; ``environments`` are those of its overlays."""

    name: str
    folder: str
    environments: tuple[str, ...]
    findings: tuple[Finding, ...]
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Migration:
    """All that was found below ``root``. ``shared`` are findings that belong to no use case alone.

    ``is_of_template`` says that the repository has files that only the GenAIOps template has.
    """

    root: Path
    use_cases: tuple[UseCase, ...]
    shared: tuple[Finding, ...]
    is_of_template: bool = True

    @property
    def findings(self) -> tuple[Finding, ...]:
        return (*(each for case in self.use_cases for each in case.findings), *self.shared)

    @property
    def changes(self) -> tuple[Change, ...]:
        return tuple(change for case in self.use_cases for change in case.changes)


def counted(findings: Iterable[Finding]) -> dict[FindingKind, int]:
    """How many findings there are of each kind, the most urgent first."""
    counts = Counter(finding.kind for finding in findings)
    return {kind: counts[kind] for kind in KINDS if counts[kind]}

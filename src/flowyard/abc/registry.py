"""Where versions of datasets and flows are kept."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowyard.registry.model import AliasChange, Draft, Kind, LineageFact, Registered, Version

__all__ = ["RegistryStore"]


class RegistryStore(ABC):
    """Where versions of datasets and flows are kept, for many processes and machines at once.

    A version never changes. Every method raises OutsideError when what is behind it cannot be reached or refuses, which
    is never taken for "not there"; StoreError when what it has is damaged.
    """

    label: str
    """Where it is, without secrets."""

    shares_files: bool = False
    """Whether ``fetch`` gives files that are on this machine anyway, so that it costs next to nothing."""

    @abstractmethod
    def names(self, kind: Kind) -> Sequence[str]:
        """What has at least one version, sorted."""

    @abstractmethod
    def versions(self, kind: Kind, name: str) -> Sequence[Version]:
        """All versions of that name, oldest first; empty when there is none."""

    @abstractmethod
    def add(self, draft: Draft) -> Registered:
        """The version of that name that has the draft's digest, whichever it is; a new one only when none has it.

        Numbers are 1, 2, 3, … without gaps, also when many register at once. What is killed half way leaves no version.
        Raises Conflict when the content changed while it was read.
        """

    @abstractmethod
    def fetch(self, version: Version, folder: Path) -> None:
        """Write the files of a version below ``folder``, which exists and is empty, byte for byte.

        They may be read only. Every name and every byte is checked against the version before this returns; StoreError
        when one differs.
        """

    @abstractmethod
    def move_alias(self, kind: Kind, name: str, change: AliasChange) -> None:
        """Point an alias at a version, or take it away. Raises NotFound when there is no such version."""

    @abstractmethod
    def alias_changes(self, kind: Kind, name: str) -> Sequence[AliasChange]:
        """Every change of the aliases of a name, oldest first; the last of an alias is what holds."""

    @abstractmethod
    def add_fact(self, version: Version, fact: LineageFact) -> None:
        """Write down what became known of a version; nothing that was written is ever changed."""

    @abstractmethod
    def facts(self, version: Version) -> Sequence[LineageFact]:
        """What is known of a version, oldest first."""

"""``--data registry:NAME:VERSION``: registered data, by the name of one version."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from flowyard.errors import UserError
from flowyard.registry import open_registry
from flowyard.settings import Settings

__all__ = ["RegisteredData", "registered_data"]

_PREFIX = "registry:"


class RegisteredData(NamedTuple):
    """Where the files of a version are on this machine, and ``NAME:VERSION``."""

    path: Path
    label: str

    @property
    def properties(self) -> dict[str, str]:
        """What the record of a run says of it."""
        return {"registered_dataset": self.label}


def registered_data(data: str | None, settings: Settings) -> RegisteredData | None:
    """The version that ``registry:NAME:VERSION``, ``registry:NAME@ALIAS`` or ``registry:NAME`` names.

    Every byte is checked. None for data that is named otherwise. Raises UserError, NotFound, and StoreError for files
    that were changed.
    """
    if data is None or not data.startswith(_PREFIX):
        return None
    label = data.removeprefix(_PREFIX)
    if not label:
        raise UserError(f"{data!r} names no registered dataset.", hint="registry:NAME:VERSION")
    registry = open_registry(settings)
    version = registry.find(label)
    label = f"{version.name}:{version.version}"
    return RegisteredData(registry.resolve(label), label)

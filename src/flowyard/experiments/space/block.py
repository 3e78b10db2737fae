"""Reading a block of ``experiment.yaml``: every wrong key and value with its line."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from flowyard._util.suggest import did_you_mean, known_names
from flowyard._util.yamlfile import YamlFile
from flowyard.errors import ExperimentInvalid, Problem, UserError

__all__ = ["BlockReader", "placed", "shown"]


@dataclass(slots=True)
class BlockReader:
    """One block and the problems found in it; ``keys`` is where it stands in ``file``."""

    file: YamlFile
    keys: tuple[str | int, ...]
    problems: list[Problem] = field(default_factory=list)

    def where(self, *keys: str | int) -> str:
        """``file:line`` of what stands at ``keys`` in the block."""
        return self.file.where(*self.keys, *keys)

    def problem(self, message: str, *keys: str | int, hint: str | None = None) -> None:
        """Note what is wrong."""
        self.problems.append(Problem(f"{'.'.join(map(str, self.keys))}: {message}", self.where(*keys), hint))

    def known(self, value: Mapping[str, Any], known: Collection[str], *keys: str | int) -> None:
        """Note each key that is none of ``known``."""
        for key in value:
            if key not in known:
                hint = did_you_mean(str(key), known) or f"Known keys: {known_names(known)}."
                self.problem(f"unknown key {str(key)!r}.", *keys, str(key), hint=hint)

    def mapping(self, value: Any, *keys: str | int) -> dict[str, Any]:
        """The value as a mapping; anything else is a problem and gives an empty one."""
        if isinstance(value, Mapping):
            return {str(key): item for key, item in value.items()}
        self.problem(f"{shown(value)} is not a mapping.", *keys)
        return {}

    def raise_problems(self) -> None:
        """Raise ExperimentInvalid when anything was noted."""
        if self.problems:
            raise ExperimentInvalid(f"{self.file.path} cannot be used:", self.problems)


@contextmanager
def placed(where: str) -> Iterator[None]:
    """Gives a UserError that says no place the place ``where``."""
    try:
        yield
    except UserError as error:
        if error.where is not None or not where:
            raise
        raise UserError(error.message, hint=error.hint, where=where) from None


def shown(value: Any) -> str:
    """A value for a message, not too long."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"

"""Where releases are written down: ``<home>/releases/<use case>/<key>/release.json``, replaced whole at every step.

A checksum in it says when it is not what was written.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flowyard._util.checked_json import checked_text, take_checksum
from flowyard._util.files import write_atomic
from flowyard._util.lock import try_lock
from flowyard._util.suggest import did_you_mean
from flowyard.errors import Conflict, NotFound, OutsideError, StoreError
from flowyard.release.model import ReleaseRecord, StepRecord

__all__ = ["ReleaseLog"]

_FILE = "release.json"


class ReleaseLog:
    """The releases of one home; one process at a time carries out those of a use case to an environment."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "releases"

    @contextmanager
    def alone(self, name: str, env: str) -> Iterator[None]:
        """Be the only one who releases that use case there. Raises Conflict while somebody else does."""
        folder = self._folder / name
        with _written():
            folder.mkdir(parents=True, exist_ok=True)
            file = (folder / f"{env}.lock").open("a+b")
        with file:
            if not try_lock(file):
                where = f" to {env}" if env else ""
                raise Conflict(f"{name} is being released{where} by another process.", hint="Wait until it has ended.")
            yield

    def create(
        self,
        name: str,
        *,
        env: str,
        target: str,
        by: str,
        versions: Mapping[str, str],
        steps: Sequence[str],
    ) -> ReleaseRecord:
        """A new release with all its steps ahead."""
        now = datetime.now(UTC)
        key = now.strftime("%Y%m%d_%H%M%S_%f")
        path = self._folder / name / key
        made = tuple(StepRecord(step) for step in steps)
        record = ReleaseRecord(name, key, env, target, by, now.isoformat(timespec="seconds"), versions, made, path)
        with _written():
            path.mkdir(parents=True)
        self.save(record)
        return record

    def save(self, record: ReleaseRecord) -> None:
        """Write the release down, on disk when this returns. Raises OutsideError."""
        body = {key: value for key, value in asdict(record).items() if key != "path"}
        with _written():
            write_atomic(record.path / _FILE, checked_text(body))

    def list(self, name: str | None = None) -> list[ReleaseRecord]:
        """The releases of a use case, or of all, newest first; those that are ``damaged`` are left out."""
        found = [each for each in map(_read, self._files(name)) if each is not None]
        return sorted(found, key=lambda each: each.key, reverse=True)

    def damaged(self, name: str | None = None) -> Sequence[str]:
        """The releases, as ``NAME/KEY``, whose file is not what was written."""
        return [f"{file.parent.parent.name}/{file.parent.name}" for file in self._files(name) if _read(file) is None]

    def _files(self, name: str | None) -> Sequence[Path]:
        files = self._folder.glob(f"*/*/{_FILE}")
        return sorted(file for file in files if name in (None, file.parent.parent.name))

    def get(self, key: str) -> ReleaseRecord:
        """The release with that key, or the newest of the use case with that name.

        Raises NotFound, and StoreError for one that is damaged.
        """
        everything = self.list()
        if damaged := [each for each in self.damaged() if key in (each, each.partition("/")[2])]:
            raise StoreError(
                f"{self._folder / damaged[0] / _FILE} is damaged: it is not what was written.",
                hint="Begin anew: flowyard release USECASE --env NAME. What is registered stays.",
            )
        for each in everything:
            if key in (each.key, f"{each.name}/{each.key}", each.name):
                return each
        near = did_you_mean(key, [text for each in everything for text in (each.name, each.key)])
        raise NotFound(f"There is no release {key!r}.", hint=near or "See: flowyard release list")

    def unfinished(self, name: str, env: str, target: str) -> ReleaseRecord | None:
        """The newest release of that use case to that place, if it did not get to its end."""
        same = (each for each in self.list(name) if (each.env, each.target) == (env, target))
        newest = next(same, None)
        return newest if newest is not None and newest.state == "unfinished" else None


def _read(file: Path) -> ReleaseRecord | None:
    try:
        body = json.loads(file.read_text(encoding="utf-8"))
        return _made(body, file.parent) if take_checksum(body) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _made(body: dict[str, Any], path: Path) -> ReleaseRecord:
    steps = tuple(StepRecord(**step) for step in body.pop("steps"))
    return replace(ReleaseRecord(**body, steps=(), path=path), steps=steps)


@contextmanager
def _written() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutsideError(
            f"The release cannot be written down: {error.strerror or error}: {error.filename}",
            hint="When that is mended, give the same command again: what is done is not done twice.",
        ) from error

"""Where journals are: ``<folder>/<use case>/<key>/<noun>.json``, replaced whole at every step.

A checksum in it says when it is not what was written.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Generic, TypeVar

from flowyard._util.checked_json import checked_text, take_checksum
from flowyard._util.files import write_atomic
from flowyard._util.lock import lock, try_lock
from flowyard._util.suggest import did_you_mean
from flowyard.errors import Conflict, NotFound, OutsideError, StoreError
from flowyard.steps.model import Journal, StepRecord

__all__ = ["Journals"]

J = TypeVar("J", bound=Journal)
_KEY = "%Y%m%d_%H%M%S_%f"


class Journals(Generic[J]):
    """The journals of one kind below ``folder``, which messages call ``noun``, such as ``release``.

    One process at a time goes on with those of a use case to an environment. ``see`` is the command that lists them.
    """

    def __init__(self, folder: Path, made: type[J], noun: str, see: str) -> None:
        self._folder = folder
        self._made = made
        self._noun = noun
        self._see = see
        self._file = f"{noun}.json"

    @contextmanager
    def alone(self, name: str, env: str, on_wait: Callable[[], None] | None = None) -> Iterator[None]:
        """Be the only one who works on that use case there. Raises Conflict while somebody else does.

        With ``on_wait``, which is called when there is somebody to wait for, waits instead.
        """
        folder = self._folder / name
        with _written():
            folder.mkdir(parents=True, exist_ok=True)
            file = (folder / f"{env}.lock").open("a+b")
        with file:
            if on_wait is not None:
                lock(file, on_wait=on_wait)
            elif not try_lock(file):
                where = f" to {env}" if env else ""
                message = f"Another process carries out a {self._noun} of {name}{where}."
                raise Conflict(message, hint="Wait until it has ended, then give the command again.")
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
    ) -> J:
        """A new one with all its steps ahead, newer than all of that name."""
        now = datetime.now(UTC)
        key = self._key_after(name, now)
        path = self._folder / name / key
        made = tuple(StepRecord(step) for step in steps)
        record = self._made(name, key, env, target, by, now.isoformat(timespec="seconds"), versions, made, path)
        with _written():
            path.mkdir(parents=True)
        self.save(record)
        return record

    def _key_after(self, name: str, now: datetime) -> str:
        """A key of this moment, or a little after the newest key: a clock that was put back must not hide what is new.

        The newest journal is the one that is gone on with, and what earlier ones say does not count any more.
        """
        key = now.strftime(_KEY)
        newest = max((file.parent.name for file in self._files(name)), default="")
        if key > newest:
            return key
        try:
            return (datetime.strptime(newest, _KEY) + timedelta(microseconds=1)).strftime(_KEY)
        except (ValueError, OverflowError):  # a folder that somebody else made
            return key

    def save(self, record: J) -> None:
        """Write the journal down, on disk when this returns. Raises OutsideError."""
        body = {key: value for key, value in asdict(record).items() if key != "path"}
        with _written():
            write_atomic(record.path / self._file, checked_text(body))

    def list(self, name: str | None = None) -> list[J]:
        """The journals of a use case, or of all, newest first; those that are ``damaged`` are left out."""
        found = [each for each in map(self._read, self._files(name)) if each is not None]
        return sorted(found, key=lambda each: each.key, reverse=True)

    def damaged(self, name: str | None = None) -> Sequence[str]:
        """The journals, as ``NAME/KEY``, whose file is not what was written."""
        return [
            f"{file.parent.parent.name}/{file.parent.name}" for file in self._files(name) if self._read(file) is None
        ]

    def get(self, key: str) -> J:
        """The one with that key, or the newest of the use case with that name.

        Raises NotFound, and StoreError for one that is damaged.
        """
        everything = self.list()
        if damaged := [each for each in self.damaged() if key in (each, each.partition("/")[2])]:
            raise StoreError(
                f"{self._folder / damaged[0] / self._file} is damaged: it is not what was written.",
                hint="Give the command that made it again; it begins anew. What is registered stays.",
            )
        for each in everything:
            if key in (each.key, f"{each.name}/{each.key}", each.name):
                return each
        near = did_you_mean(key, [text for each in everything for text in (each.name, each.key)])
        raise NotFound(f"There is no {self._noun} {key!r}.", hint=near or f"See: {self._see}")

    def unfinished(self, name: str, env: str, target: str) -> J | None:
        """The newest journal of that use case to that place, if it did not get to its end."""
        same = (each for each in self.list(name) if (each.env, each.target) == (env, target))
        newest = next(same, None)
        return newest if newest is not None and newest.state == "unfinished" else None

    def _files(self, name: str | None) -> Sequence[Path]:
        files = self._folder.glob(f"*/*/{self._file}")
        return sorted(file for file in files if name in (None, file.parent.parent.name))

    def _read(self, file: Path) -> J | None:
        try:
            body: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            if not take_checksum(body):
                return None
            steps = tuple(StepRecord(**step) for step in body.pop("steps"))
            return replace(self._made(**body, steps=(), path=file.parent), steps=steps)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None


@contextmanager
def _written() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        raise OutsideError(
            f"A step cannot be written down: {error.strerror or error}{where}",
            hint="When that is mended, give the same command again: what is done is not done twice.",
        ) from error
